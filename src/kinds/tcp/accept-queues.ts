/**
 * Connections that the kernel has completed and the program has not accepted. Once it is frozen they are taken out of
 * the accept queues and move like the others, into the queues of the copy; where the move is undone they go back into
 * those that they were in (native/accept/accept_queue.h).
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MigrunError } from '../../errors';
import type { Logger } from '../../log';
import { native, type ProgramSocket, type SavedSocket, type SocketObstacle } from '../../native/index';
import { endpoint, sequence } from '../../protocol/control/index';
import { type Connection, connectionName, endpointText } from '../../vocabulary/endpoint';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { isConnection, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LISTEN } from '../../vocabulary/sockets';
import { EndsHere } from '../ends';
import { type Arriving, type ArrivingProgram, defineTravellingKind, type Facts, type Frozen, type SavedPeer,
  type Waiting } from '../kind';
import type { AgentLink } from '../program';
import { otherEndHas, savedPeer, summaryOf, tcp } from './connections';
import { fillQueues, putBackIntoQueues, saveTaken } from './fill-queues';
import { armResets, practiceSocket, savedSocket } from './saved-socket';

/** What an agent says of an end that is closed: there is nobody to follow. */
const CLOSED = ['no-owner', 'no-socket'];
/** SO_RCVBUF is an int. */
const MAX_RECEIVE_BUFFER = 2 ** 31 - 1;

/** A listening socket, and how many connections wait at it. */
const queue = z.object({ local: endpoint, waiting: z.int().nonnegative() });
type Queue = z.infer<typeof queue>;

/** A connection that waits; its place is the listening socket's. */
const waitingConnection = place.extend({
  saved: savedSocket,
  peerHas: sequence,
  inside: z.boolean(),
  receiveBuffer: z.int().positive().max(MAX_RECEIVE_BUFFER),
  /** Nobody is at its other end any more. */
  alone: z.boolean(),
});
type WaitingConnection = z.infer<typeof waitingConnection>;

export const acceptQueues = defineTravellingKind({
  name: 'accept-queues',

  needs: {
    schema: z.array(queue),
    of({ sockets }: Facts): Queue[] {
      const queues = sockets.filter(({ state, backlog }) => state === TCP_LISTEN && backlog > 0);
      return queues.map(({ local, backlog }) => ({ local, waiting: backlog }));
    },
    /** A queue takes one more than its backlog, which listen(2) cuts to net.core.somaxconn. */
    judge(queues: Queue[]): Reason[] {
      const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')) + 1;
      return queues.filter(({ waiting }) => waiting > most).map(({ local, waiting }) => {
        const where = `${waiting} connections wait at ${endpointText(local)}`;
        return { code: 'E_ACCEPT_QUEUE', message: `${where}, and net.core.somaxconn of the target allows ${most}` };
      });
    },
  },

  saved: {
    schema: z.array(waitingConnection),
    practice: [{
      innerPid: 1,
      fd: 0,
      saved: practiceSocket,
      peerHas: 0,
      inside: false,
      receiveBuffer: 1,
      alone: false,
    }],
    peers: (saved): SavedPeer[] => saved.filter(hasPeer).map(({ saved }) => savedPeer(saved)),
    summary: (saved) => saved.map(({ innerPid, fd, saved }) => ({ innerPid, fd, ...summaryOf(saved), waiting: true })),
  },

  leave: ({ program, tools: { agent, log } }) => {
    let saved: readonly SavedSocket[] = [];
    let moving: readonly WaitingConnection[] = [];
    /** The connections that were taken, once all were: the frozen program's `waiting`. */
    let taken: readonly Waiting[] = [];
    /** The names of connections whose other ends are closed. */
    const alone = new Set<string>();
    let armed: ReadonlySet<number> = new Set();
    const trust = new Trust(program.identity.id, agent);
    return {
      async take(frozen) {
        emptyQueues(frozen);
        taken = frozen.waiting;
        if (taken.length > 0) await trust.begin(taken);
      },
      /** A client that has said what it had to say and closed its end needs no telling, and no agent can lock it. */
      excuses({ connection, status }, waiting) {
        const name = connectionName(connection);
        const isAlone = CLOSED.includes(status)
          && waiting.some((one) => one.state === TCP_CLOSE_WAIT && connectionName(one) === name);
        if (isAlone) alone.add(name);
        return isAlone;
      },
      isExcused: (connection) => alone.has(connectionName(connection)),
      save(_frozen, received) {
        saved = saveTaken(taken.map(({ socket }) => socket));
        received.note(saved);
      },
      state(frozen, received) {
        moving = taken.map(({ socket, listener }, index) => {
          const one = saved[index] as SavedSocket;
          const isAlone = !isConnection(socket) || alone.has(connectionName(tcp(socket)));
          const { has, inside } = isAlone ? { has: one.sndUna, inside: false } : otherEndHas(one, received);
          const at = frozen.placeOf(listener);
          return { ...at, saved: one, peerHas: has, inside, receiveBuffer: socket.receiveBuffer, alone: isAlone };
        });
        return [...moving];
      },
      armResets(lost) {
        const all = moving.map((one, index) => ({ ...one, fd: (taken[index] as Waiting).socket.fd }));
        armed = armResets(all, lost, log);
      },
      async leave() {
        await trust.end(log);
        return taken.map(({ socket }) => socket.fd).filter((fd) => !armed.has(fd));
      },
      unsave() {
        if (saved.length > 0) native.tcpUnsave(taken.map(({ socket }) => socket.fd));
        saved = [];
      },
      /** The peers are still locked. Throws where a connection is lost; the others are put back all the same. */
      async putBack(frozen) {
        const { waiting: all } = frozen;
        if (all.length === 0) return;
        const waiting = all.map(({ socket, listener }) => ({ socket, listener: listener.fd }));
        native.socketLock(connectedOf(all), 0);
        frozen.waiting = [];
        await putBackIntoQueues(waiting, program.cgroup, () => trust.end(log));
      },
    };
  },

  arrive: (): Arriving<Queue[], WaitingConnection[]> => {
    /**
     * While this descriptor is open, resets to the program are dropped: a peer that has not followed yet may answer a
     * RESUME with one.
     */
    let resetsDropped: number | undefined;
    const letResetsPass = (): void => {
      if (resetsDropped !== undefined) native.closeFd(resetsDropped);
      resetsDropped = undefined;
    };
    const letPassUnlessLate = (names: ReadonlySet<string>): void => {
      if (names.size === 0) letResetsPass(); // a late one may be of these
    };
    return {
      /** What is in a queue has taken over the listening socket's options, and cannot be locked. */
      revive(saved, program) {
        const ends = endsHere(saved, program);
        const requests = saved.map(({ alone, ...connection }, index) => ({
          ...connection,
          listener: program.descriptors.at(connection),
          ends: ends[index],
          peerStays: alone,
        }));
        if (saved.length > 0) {
          const { failure } = fillQueues(requests, program.cgroup);
          if (failure !== undefined) throw failure;
          resetsDropped = native.gateDropResets(program.cgroup);
        }
        return localsOf(saved, ends);
      },
      /** The connections are in the accept queues since before the commit; no descriptor is theirs. */
      pickUp(saved, program) {
        if (saved.length > 0) resetsDropped = native.gateDropResets(program.cgroup);
        return localsOf(saved, endsHere(saved, program));
      },
      release: (_program, { names }) => letPassUnlessLate(names),
      releaseLate: (_program, { names }) => letPassUnlessLate(names),
      giveUp: letResetsPass,
      abandon: letResetsPass,
    };
  },
});

/**
 * The connections are entrusted to the agent of this host as well: should this process die, its successor finds them
 * there.
 */
class Trust {
  private isGiven = false;

  constructor(private readonly program: string, private readonly agent: AgentLink) {}

  async begin(connections: readonly Waiting[]): Promise<void> {
    this.isGiven = true;
    await this.tell(connections);
  }

  /** The connections are ours alone again, or nobody's; without an agent they are that already. */
  async end(log: Logger): Promise<void> {
    if (!this.isGiven) return;
    this.isGiven = false;
    await this.tell([]).catch((error: unknown) =>
      log.warn({ err: error }, 'the agent has connections in its care that it need not have')
    );
  }

  private async tell(connections: readonly Waiting[]): Promise<void> {
    await this.agent.ask({
      type: 'entrust',
      program: this.program,
      pid: process.pid,
      connections: connections.map(({ socket: { fd, remote, receiveBuffer }, listener }) => ({
        fd,
        listener: listener.inode,
        remote,
        receiveBuffer,
      })),
    });
  }
}

function hasPeer({ inside, alone }: WaitingConnection): boolean {
  return !inside && !alone;
}

function endsHere(saved: readonly WaitingConnection[], { host, addresses }: ArrivingProgram): Connection[] {
  const here = new EndsHere(host, addresses);
  return saved.map(({ saved, inside }) => here.of(saved, inside));
}

function localsOf(saved: readonly WaitingConnection[], ends: readonly Connection[]): Connection['local'][] {
  return saved.flatMap((one, index) => (hasPeer(one) ? [(ends[index] as Connection).local] : []));
}

/**
 * Takes all connections out of the queues. Throws E_ACCEPT_QUEUE where some stay: they would be lost. What was taken
 * until then is put back like all else.
 */
function emptyQueues(frozen: Frozen): void {
  for (const listener of frozen.sockets.filter(({ state }) => state === TCP_LISTEN)) {
    const sockets = native.acceptQueueTake(listener.fd).map((socket) => ({
      ...socket,
      obstacles: obstaclesOf(socket),
    }));
    frozen.waiting = [...frozen.waiting, ...sockets.map((socket) => ({ socket, listener }))];
    if (native.socketDescribe(listener.fd).backlog === 0) continue;
    const message = `not all connections that wait at ${endpointText(listener.local)} could be taken out of its queue`;
    throw new MigrunError('E_ACCEPT_QUEUE', message, { hint: 'try again' });
  }
  frozen.lock(connectedOf(frozen.waiting));
  // What arrived before the lock may have ended one.
  const states = native.socketTcpStates(frozen.waiting.map(({ socket }) => socket.fd));
  frozen.waiting = frozen.waiting.map(({ socket, listener }, index) => ({
    socket: { ...socket, state: states[index] ?? socket.state },
    listener,
  }));
}

function connectedOf(waiting: readonly Waiting[]): number[] {
  return waiting.filter(({ socket }) => isConnection(socket)).map(({ socket }) => socket.fd);
}

/**
 * Gives what nobody can carry of it. A connection that was reset is made again as such, with all that is in it; and the
 * SYN that each begins with may be read.
 */
function obstaclesOf({ state, obstacles }: ProgramSocket): SocketObstacle[] {
  const carried = state === TCP_CLOSE ? ['error-queue', 'ended'] : ['saved-syn'];
  return obstacles.filter((obstacle) => !carried.includes(obstacle));
}
