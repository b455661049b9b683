/**
 * Finishing a migration on its target after whoever committed it has died before the thaw: all that it knew is in the
 * state that arrived, and in the sockets themselves.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { native, type HeldSocket, type Registry } from '../native/index';
import { innerPid, pidsOf } from '../program/pod';
import type { MigrationTools } from './program';
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED } from './rules';
import { decodeState, movedConnections, STATE_FILE, type MovingConnection, type MovingState } from './state';
import { tellPeers } from './tell-peers';

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
  const sockets = new Sockets(arrival.cgroup);
  try {
    const taken = state.connections.flatMap((connection): Taken[] => {
      const socket = sockets.at(connection);
      return socket === undefined ? [] : [{ connection, socket }];
    });
    const peers = await tellPeers(tools, state, moved(taken));
    tools.log.info({ peers }, 'resumed after a crash');
    moveInodes(arrival.registry, state, sockets);
    for (const one of taken) if (owesFin(one)) reviveWithFin(one);
    native.release(taken.map(({ socket }) => socket.fd));
    native.unlock(state.listeners.flatMap((place) => sockets.at(place)?.fd ?? []));
  } finally {
    sockets.close();
    arrival.registry?.endFreeze();
    native.cgroupThaw(arrival.cgroup);
  }
  return state;
}

/** A program's sockets by the places that the source found them at: an inner pid and a descriptor. */
class Sockets {
  private readonly pidfds: Map<number, number>;
  private readonly fds: number[] = [];

  constructor(cgroup: string) {
    this.pidfds = new Map(pidsOf(cgroup).map((pid) => [innerPid(pid), native.pidfdOpen(pid)]));
  }

  /** undefined: its process was killed meanwhile. */
  at({ innerPid: inner, fd }: { innerPid: number; fd: number }): HeldSocket | undefined {
    const pidfd = this.pidfds.get(inner);
    if (pidfd === undefined) return undefined;
    const own = native.pidfdGetfd(pidfd, fd);
    this.fds.push(own);
    return native.describeSocket(own);
  }

  close(): void {
    for (const fd of [...this.fds, ...this.pidfds.values()]) native.closeFd(fd);
  }
}

function moved(taken: readonly Taken[]): ReturnType<typeof movedConnections> {
  return movedConnections(
    taken.map(({ connection }) => connection),
    taken.map(({ socket }) => socket.local),
  );
}

/** Once: an inode here may be the number of another socket's inode there. */
function moveInodes(registry: Registry | undefined, { inodes }: MovingState, sockets: Sockets): void {
  const moves = inodes.flatMap((place): [number, number][] => {
    const socket = sockets.at(place);
    return socket === undefined ? [] : [[place.inode, socket.inode]];
  });
  const known = new Set(registry?.sockets().map(({ inode }) => inode));
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
