/**
 * Finishing a migration on its target after whoever committed it has died before the thaw: all that it knew is in the
 * state that arrived, and in the sockets themselves.
 */
import { fstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HeldSocket, native, type Registry } from '../native/index';
import { thawProgram } from '../program/freeze';
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED } from '../vocabulary/sockets';
import { connectAgain } from './connecting';
import { endsHere } from './local-end';
import { type MovedPeer, movedUdp, udpWithPeers } from './moved-peers';
import type { MigrationTools } from './program';
import { RestoredDescriptors } from './restored-descriptors';
import { decodeState, movedConnections, type MovingConnection, type MovingState, STATE_FILE } from './state';
import { tally, tellPeers } from './tell-peers';
import { addressesOf } from './udp';

/** Of silence, after which a peer is let go: the program is frozen meanwhile. */
const RESUME_DEADLINE_MS = 3_000;

/** A committed program that is frozen still. */
export interface FrozenArrival {
  /** Where its images arrived. */
  readonly folder: string;
  readonly cgroup: string;
  readonly registry: Registry | undefined;
}

interface Taken {
  readonly connection: MovingConnection;
  readonly socket: HeldSocket;
}

/** The peers follow, the program runs. Whatever of it was done already is not harmed by being done again. */
export async function takeUp(arrival: FrozenArrival, tools: MigrationTools): Promise<MovingState> {
  const state = decodeState(readFileSync(join(arrival.folder, STATE_FILE)));
  const sockets = new RestoredDescriptors(arrival.cgroup);
  // These stand in the accept queues since before the commit, and no descriptor is theirs.
  const waiting = state.connections.filter((connection) => connection.waiting !== null);
  const resetsDropped = waiting.length === 0 ? undefined : native.dropResets(arrival.cgroup);
  try {
    const taken = state.connections.flatMap((connection): Taken[] => {
      const fd = connection.waiting === null ? sockets.find(connection) : undefined;
      return fd === undefined ? [] : [{ connection, socket: native.describeSocket(fd) }];
    });
    const ends = endsHere(waiting, state.host, addressesOf(state.addresses, []));
    const inQueues = movedConnections(
      waiting,
      ends.map(({ local }) => local),
      state.host,
    );
    const peers = await tellPeers(tools, state, [...moved(taken, state), ...inQueues,
      ...movedDatagrams(state, sockets)], RESUME_DEADLINE_MS);
    tools.log.info(tally(peers), 'resumed after a crash');
    moveInodes(arrival.registry, state, sockets);
    for (const one of taken) if (owesFin(one)) reviveWithFin(one);
    native.release(taken.map(({ socket }) => socket.fd));
    native.unlock(state.listeners.flatMap((place) => sockets.find(place) ?? []));
    connectAgain(state, sockets, tools.log);
  } finally {
    if (resetsDropped !== undefined) native.closeFd(resetsDropped);
    sockets.close();
    thawProgram(arrival.cgroup, arrival.registry);
  }
  return state;
}

function moved(taken: readonly Taken[], { host }: MovingState): ReturnType<typeof movedConnections> {
  return movedConnections(
    taken.map(({ connection }) => connection),
    taken.map(({ socket }) => socket.local),
    host,
  );
}

function movedDatagrams(state: MovingState, sockets: RestoredDescriptors): MovedPeer[] {
  const found = udpWithPeers(state).flatMap((socket) => {
    const fd = sockets.find(socket);
    return fd === undefined ? [] : [{ socket, local: native.describeSocket(fd).local }];
  });
  return movedUdp(
    found.map(({ socket }) => socket),
    found.map(({ local }) => local),
  );
}

/** Once: an inode here may be the number of another socket's inode there. */
function moveInodes(registry: Registry | undefined, state: MovingState, sockets: RestoredDescriptors): void {
  const moves = state.sockets.flatMap((socket): [number, number][] => {
    const fd = sockets.find(socket);
    return fd === undefined ? [] : [[socket.inode, fstatSync(fd).ino]];
  });
  const known = new Set(registry?.inodes());
  if (!moves.every(([, to]) => known.has(to))) registry?.moveInodes(moves);
}

/** The side that had sent a FIN is revived without it, and only the process that revived it knew (native/tcp_state.h). */
function owesFin({ connection: { saved }, socket: { state } }: Taken): boolean {
  return saved.finSent && (state === TCP_ESTABLISHED || state === TCP_CLOSE_WAIT);
}

function reviveWithFin({ connection: { saved }, socket: { fd, local, remote } }: Taken): void {
  native.lock([fd], 0);
  const [now] = native.save([fd]);
  if (now === undefined) return;
  // The revive had shut the window; the one that it was saved with counts until the peer tells another.
  const window = now.window.sndWnd === 0 ? { ...now.window, sndWnd: saved.window.sndWnd } : now.window;
  native.revive([{ fd, saved: { ...now, window, finSent: true }, local, remote, peerHas: now.sndUna }], true);
}
