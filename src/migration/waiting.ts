/**
 * Connections that the kernel has completed and the program has not accepted. Once it is frozen they are taken out of the
 * accept queues and move like the others, into the queues of the copy; where the migration is undone they go back into
 * those that they were in (native/accept/accept_queue.h).
 */
import { MigrunError } from '../errors';
import { native, type ProgramSocket, type QueuedSocket, type SavedSocket, type SocketObstacle } from '../native/index';
import { type Connection, connectionText, endpointText } from '../vocabulary/endpoint';
import { TCP_CLOSE, TCP_CLOSE_WAIT } from '../vocabulary/sockets';
import { fillQueues, type Place } from './accept-queue';
import { isConnection } from './rules';
import type { SourceContext, WaitingSocket } from './source-context';
import type { MovingConnection } from './state';

/** What an agent says of an end that is closed: there is nobody to follow. */
const CLOSED = ['no-owner', 'no-socket'];

/** Throws where some stay: they would be lost. */
export function takeWaiting(context: SourceContext): void {
  for (const listener of context.listeners) {
    for (const socket of native.acceptQueueTake(listener.fd))
      context.waiting.push({ socket: { ...socket, obstacles: obstaclesOf(socket) }, listener });
    if (native.socketDescribe(listener.fd).backlog > 0) {
      throw new MigrunError(
        'E_ACCEPT_QUEUE',
        `not all connections that wait at ${endpointText(listener.local)} could be taken out of its queue`,
        { hint: 'try again' },
      );
    }
  }
  native.socketLock(liveOf(context).map(({ socket }) => socket.fd), context.leaseMs);
  // What arrived before the lock may have ended one.
  const states = native.socketTcpStates(context.waiting.map(({ socket }) => socket.fd));
  context.waiting = context.waiting.map(({ socket, listener }, index) => ({
    socket: { ...socket, state: states[index] ?? socket.state },
    listener,
  }));
}

/** One that was reset is made again as that, with all that is in it. Whichever begins with a SYN, which is there to be read. */
function obstaclesOf({ state, obstacles }: ProgramSocket): SocketObstacle[] {
  const carried = state === TCP_CLOSE ? ['error-queue', 'ended'] : ['saved-syn'];
  return obstacles.filter((obstacle) => !carried.includes(obstacle));
}

function liveOf({ waiting }: SourceContext): WaitingSocket[] {
  return waiting.filter(({ socket }) => isConnection(socket));
}

/**
 * A client that has said what it had to say and closed its end needs no telling, and no agent can lock it. Notes it
 * among these; false: it is none of them.
 */
export function isLeftAlone(
  { alone }: SourceContext,
  { connection, status }: { connection: Connection; status: string },
  waiting: readonly (Connection & { state: number })[],
): boolean {
  const text = connectionText(connection);
  const isAlone = CLOSED.includes(status)
    && waiting.some((one) => one.state === TCP_CLOSE_WAIT && connectionText(one) === text);
  if (isAlone) alone.add(text);
  return isAlone;
}

/** Without those that `isLeftAlone` has noted. */
export function withPeers({ alone }: SourceContext, connections: readonly Connection[]): Connection[] {
  return connections.filter((connection) => !alone.has(connectionText(connection)));
}

/** Should this process die, they are not lost: its successor finds them with the agent. */
export async function keepWaiting(context: SourceContext): Promise<void> {
  if (context.waiting.length === 0) return;
  const connections = context.waiting.map(({ socket: { fd, remote, receiveBuffer }, listener }) => ({
    fd,
    listener: listener.inode,
    remote,
    receiveBuffer,
  }));
  context.kept = true;
  await context.tools.agent.ask({ type: 'keep', program: context.program.identity.id, pid: process.pid, connections });
}

/** They are ours alone again, or nobody's. Without an agent they are that already. */
export async function forgetWaiting(context: SourceContext): Promise<void> {
  if (!context.kept) return;
  context.kept = false;
  await context.tools.agent.ask({
    type: 'keep',
    program: context.program.identity.id,
    pid: process.pid,
    connections: [],
  }).catch((error: unknown) => {
    context.tools.log.warn({ err: error }, 'the agent keeps connections that it need not');
  });
}

/** In the order of `context.waiting`. Leaves the sockets in TCP_REPAIR. */
export function saveWaiting(context: SourceContext): MovingConnection[] {
  const saved = saveTaken(context.waiting.map(({ socket }) => socket));
  return context.waiting.map(({ socket, listener }, index) => {
    const state = saved[index] as SavedSocket;
    const alone = !isConnection(socket) || context.alone.has(connectionText(socket));
    return {
      ...context.placeOf(listener),
      saved: state,
      peerHas: state.sndUna,
      inside: false,
      waiting: { receiveBuffer: socket.receiveBuffer, alone },
    };
  });
}

/** Undoes all of it. Their peers are locked still. Throws where one is lost; the others are not. */
export async function returnWaiting(context: SourceContext): Promise<void> {
  const waiting = context.waiting.map(({ socket, listener }) => ({ socket, listener: listener.fd }));
  if (waiting.length === 0) return;
  native.socketLock(liveOf(context).map(({ socket }) => socket.fd), 0);
  context.waiting = [];
  await putBack(waiting, context.program.cgroup, () => forgetWaiting(context));
}

/** Locked sockets go back where they were. `forget` has whoever else holds them let them go. One that cannot is reset. */
export async function putBack(
  waiting: readonly { socket: QueuedSocket; listener: number }[],
  cgroup: string,
  forget: () => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let places = waiting.flatMap(({ socket, listener }): Place[] => {
    try {
      const [saved] = saveTaken([socket]);
      return [{
        connection: { saved: saved as SavedSocket, waiting: { receiveBuffer: socket.receiveBuffer, alone: false } },
        listener,
        ends: undefined,
      }];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  await forget();
  for (const { socket } of waiting) {
    if (places.some(({ connection }) => connectionText(connection.saved) === connectionText(socket)))
      native.tcpCloseSilently([socket.fd]);
    else native.closeFd(socket.fd);
  }
  while (places.length > 0) {
    const filled = fillQueues(places, cgroup);
    if (filled.failure === undefined) break;
    failures.push(filled.failure);
    places = places.slice(filled.count + 1);
  }
  if (failures.length > 0) throw failures[0];
}

function saveTaken(sockets: readonly QueuedSocket[]): SavedSocket[] {
  const fds = sockets.filter(isConnection).map(({ fd }) => fd);
  const saved = new Map(native.tcpSave(fds).map((one, index) => [fds[index], one]));
  return sockets.map(({ fd, remote }) => saved.get(fd) ?? native.acceptQueueSaveReset(fd, remote));
}
