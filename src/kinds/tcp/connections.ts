/**
 * TCP connections: saved at the source, and revived at the target in the sockets that CRIU has made, closed. They stay
 * locked until their peers follow. Connections that wait to be accepted have peers like others, and are judged here
 * too; how they are taken and put into a queue again is accept-queues.ts.
 */
import { z } from 'zod';
import { MigrunError } from '../../errors';
import { native, type ProgramSocket, type SavedSocket } from '../../native/index';
import { freezeProgram, thawProgram } from '../../program/pod';
import { connection, sequence } from '../../protocol/control/index';
import { FREEZE_TIMEOUT_MS } from '../../times';
import { isLinkLocal } from '../../vocabulary/addresses';
import { type Connection, connectionName, connectionText } from '../../vocabulary/endpoint';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { CONNECTED_STATES, isConnection, isTcp, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_SENT,
  tcpStateName } from '../../vocabulary/sockets';
import { endAway, EndsHere, InsideEnds, judgeInside, judgeRoutes, type NewAddresses, reasonsOfNeighbours,
  withFreePorts } from '../ends';
import { type Arriving, defineTravellingKind, type Facts, type Leaving, type Received, type SavedPeer } from '../kind';
import { socketText } from '../sockets/obstacles';
import { distinct } from '../sockets/options';
import { armResets, practiceSocket, saveConnections, savedSocket } from './saved-socket';

const CARRIED_STATES = [...CONNECTED_STATES, TCP_SYN_SENT, TCP_CLOSE, TCP_LISTEN];

const wanted = z.object({
  /** Connections with peers, whose ends are as they will be when the program has left. */
  connections: z.array(connection),
  /** The addresses of connections that are in the program altogether. */
  inside: z.array(z.string().max(64)),
});
type Wanted = z.infer<typeof wanted>;

const movingConnection = place.extend({
  saved: savedSocket,
  /** What the other end has received of our stream: its rcv_nxt when it was locked. */
  peerHas: sequence,
  /** The other end is the program's own. */
  inside: z.boolean(),
  /** It has the port of a listening socket, or is inside the program: no other port would do. */
  keepsPort: z.boolean(),
});
export type MovingConnection = z.infer<typeof movingConnection>;

export const connections = defineTravellingKind({
  name: 'connections',

  refuse: ({ sockets }: Facts): Reason[] => sockets.filter(isTcp).flatMap(reasonsOfSocket),

  refuseAway: (facts: Facts, host): Reason[] => reasonsOfNeighbours(connectionsOf(facts).outward, host),

  peers: (facts: Facts): Connection[] => connectionsOf(facts).outward,

  needs: {
    schema: wanted,
    of(facts: Facts, _seen, host): Wanted {
      const { outward, inside } = connectionsOf(facts);
      return {
        connections: outward.map(({ local, remote }) => ({ local, remote: endAway(remote, host) ?? remote })),
        inside: distinct(inside.map(({ local }) => local.address)),
      };
    },
    judge({ connections, inside }: Wanted, addresses: NewAddresses): Reason[] {
      return [...judgeRoutes(connections.map(({ remote }) => remote.address), addresses),
        ...judgeInside(inside, addresses)];
    },
  },

  saved: {
    schema: z.array(movingConnection),
    practice: [{ innerPid: 1, fd: 0, saved: practiceSocket, peerHas: 0, inside: false, keepsPort: false }],
    peers: (saved): SavedPeer[] => saved.filter(({ inside }) => !inside).map(({ saved }) => savedPeer(saved)),
    summary: (saved) => saved.map(({ innerPid, fd, saved }) => ({ innerPid, fd, ...summaryOf(saved), waiting: false })),
  },

  leave: ({ tools }) => {
    let taken: readonly ProgramSocket[] = [];
    let saved: readonly SavedSocket[] = [];
    let moving: readonly MovingConnection[] = [];
    let armed: ReadonlySet<number> = new Set();
    return {
      save({ sockets }, received) {
        taken = sockets.filter(isConnection);
        saved = saveConnections(taken);
        received.note(saved);
      },
      state(frozen, received) {
        const listening = new Set(
          frozen.sockets.filter(({ state }) => state === TCP_LISTEN).map(({ local }) => local.port),
        );
        moving = saved.map((one, index) => {
          const { has, inside } = otherEndHas(one, received);
          const at = frozen.placeOf(taken[index] as ProgramSocket);
          return { ...at, saved: one, peerHas: has, inside, keepsPort: inside || listening.has(one.local.port) };
        });
        return [...moving];
      },
      armResets(lost) {
        const all = moving.map((one, index) => ({ ...one, fd: (taken[index] as ProgramSocket).fd }));
        armed = armResets(all, lost, tools.log);
      },
      leave: () => taken.map(({ fd }) => fd).filter((fd) => !armed.has(fd)),
      unsave() {
        if (saved.length > 0) native.tcpUnsave(taken.map(({ fd }) => fd));
      },
    } satisfies Leaving;
  },

  arrive: (): Arriving<Wanted, MovingConnection[]> => {
    /** Connections that are still locked, with the names that they had at the source. */
    let locked: readonly { readonly name: string; readonly fd: number }[] = [];
    let owingFin: readonly (() => void)[] = [];
    const split = (names: ReadonlySet<string>): [number[], number[]] => {
      const kept = locked.filter(({ name }) => names.has(name));
      const free = locked.filter(({ name }) => !names.has(name));
      locked = kept;
      return [kept.map(({ fd }) => fd), free.map(({ fd }) => fd)];
    };
    return {
      /** Whatever is complete when this returns stays locked. */
      revive(saved, { descriptors, host, addresses }) {
        const here = new EndsHere(host, addresses);
        const ends = withFreePorts(
          saved.map(({ saved, inside }) => here.of(saved, inside)),
          (index) => saved[index]?.keepsPort !== true,
        );
        const requests = saved.map(({ saved, peerHas, ...at }, index) => ({
          fd: descriptors.at(at),
          saved,
          ...(ends[index] as Connection),
          peerHas,
        }));
        locked = requests.map(({ fd, saved }) => ({ fd, name: connectionName(tcp(saved)) }));
        native.tcpRevive(requests, true); // from here on only resets are dropped: what a peer sends that followed is received
        return ends.filter((_end, index) => saved[index]?.inside !== true).map(({ local }) => local);
      },
      pickUp(saved, { descriptors }) {
        const found = saved.map((one) => {
          const fd = descriptors.find(one);
          return fd === undefined ? null : { ...one, socket: native.socketDescribe(fd) };
        });
        const there = found.filter((one) => one !== null);
        locked = there.map(({ saved, socket: { fd } }) => ({ fd, name: connectionName(tcp(saved)) }));
        owingFin = there.filter(owesFin).map((one) => () => reviveWithFin(one));
        return found.filter((_one, index) => saved[index]?.inside !== true).map((one) => one?.socket.local ?? null);
      },
      release(_program, { names, leaseMs }) {
        for (const revive of owingFin) revive();
        const [kept, free] = split(names);
        native.tcpRelease(free);
        native.tcpUnsave(kept);
        native.socketLock(kept, leaseMs);
      },
      /** Throws, and has changed nothing, where the program does not stand still for it. */
      releaseLate({ cgroup }, { names }, registry) {
        const before = locked;
        const [, free] = split(names);
        if (free.length === 0) return;
        try {
          // Meanwhile they are in TCP_REPAIR, in which a program's calls fail.
          freezeProgram(cgroup, registry, FREEZE_TIMEOUT_MS);
        } catch (error) {
          locked = before;
          throw error;
        }
        try {
          native.tcpRelease(free);
        } finally {
          thawProgram(cgroup, registry);
        }
      },
      unreleased: () => locked.map(({ fd }) => fd),
      giveUp: () => void (locked = []),
    };
  },
});

/** All connections, also those that wait to be accepted: with others, and those with both ends in the program. */
function connectionsOf({ sockets, waiting }: Facts): { outward: Connection[]; inside: Connection[] } {
  const all = [...waiting, ...sockets.filter(isConnection)].map(tcp);
  const ends = new InsideEnds(all);
  const inside = new Set(all.filter((one) => ends.hasOther(one)));
  return { outward: all.filter((one) => !inside.has(one)), inside: [...inside] };
}

export function tcp({ local, remote }: Connection): Connection {
  return { local, remote };
}

function reasonsOfSocket(socket: Facts['sockets'][number]): Reason[] {
  if (!CARRIED_STATES.includes(socket.state)) {
    const state = `is in ${tcpStateName(socket.state)}, which does not move yet; try again when it has passed`;
    return [{ code: 'E_TCP_STATE', message: `${connectionText(socket)} ${state}` }];
  }
  if (!isLinkLocal(socket.local.address) && !isLinkLocal(socket.remote.address)) return [];
  const message = `${socketText(socket)} uses link-local addresses, which mean nothing on another link`;
  return [{ code: 'E_ADDRESS', message }];
}

/** Gives what the other end has received. Throws E_PEER where that is a peer's, which has not said it. */
export function otherEndHas(saved: SavedSocket, received: Received): { has: number; inside: boolean } {
  const inside = received.inside(tcp(saved));
  const has = inside ?? received.byPeer(tcp(saved));
  if (has === undefined) throw new MigrunError('E_PEER', `${connectionText(saved)} was not locked by its peer`);
  return { has, inside: inside !== undefined };
}

export function savedPeer({ local, remote, sndUna, rcvNxt }: SavedSocket): SavedPeer {
  return { connection: { local, remote }, sndUna, rcvNxt };
}

export function summaryOf({ state, local, remote, sendQueue, receiveQueue }: SavedSocket) {
  return { state: tcpStateName(state), local, remote, sendQueue: sendQueue.length, receiveQueue: receiveQueue.length };
}

interface PickedUp {
  readonly saved: SavedSocket;
  readonly socket: ProgramSocket;
}

/**
 * Whether a FIN is still to be sent: the side that had sent it is revived without it, and only the process that revived
 * it knew (native/tcp/tcp.h).
 */
function owesFin({ saved, socket: { state } }: PickedUp): boolean {
  return saved.finSent && (state === TCP_ESTABLISHED || state === TCP_CLOSE_WAIT);
}

function reviveWithFin({ saved, socket: { fd, local, remote } }: PickedUp): void {
  native.socketLock([fd], 0);
  const [now] = native.tcpSave([fd]);
  if (now === undefined) return;
  // The revive had shut the window; the one that it was saved with counts until the peer tells another.
  const window = now.window.sndWnd === 0 ? { ...now.window, sndWnd: saved.window.sndWnd } : now.window;
  native.tcpRevive([{ fd, saved: { ...now, window, finSent: true }, local, remote, peerHas: now.sndUna }], true);
}
