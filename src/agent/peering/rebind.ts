/**
 * Rebind: connections of running programs get a new remote address, while their programs stand still for a moment.
 *
 * Between lock and release, no thread that uses the sockets may run (native/tcp_state.h), so every process that has
 * one of them open is stopped: a wrapped program by its freezer, which hides that from it, any other with ptrace.
 */

import type { Logger } from 'pino';
import type { Endpoint, Native, SavedSocket } from '../../native/contract';
import type { Status } from '../../protocol/inband';
import { batched, Failure } from './batch';
import { forFamily } from './connections';
import type { Owners } from './owners';
import type { LocalPrograms, PeerFreezer } from './types';

export interface Rebind {
  /** Our descriptor. Locked or not. */
  readonly fd: number;
  /** On the wire. */
  readonly remote: Endpoint;
  /** null: nobody has said. */
  readonly peerHas: number | null;
  /** The other end has closed its window, whatever the socket says now (native/tcp_patience.h). */
  readonly windowIsShut?: boolean;
}

/**
 * ok: lives at the new address, unlocked. failed: as it was before, as far as that can be, and unlocked.
 * busy, not-permitted: its program cannot be stopped now; the connection was not touched.
 */
export type Rebound = Extract<Status, 'ok' | 'busy' | 'not-permitted' | 'failed'>;

export class Rebinder {
  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
    private readonly owners: Owners,
    private readonly log: Logger,
  ) {}

  /** One synchronous stretch for all of them. */
  rebind(requests: readonly Rebind[]): Rebound[] {
    return this.whileStopped(requests, (stopped) => this.follow(stopped));
  }

  /** Of locked sockets (native/tcp_patience.h). */
  openWindows(fds: readonly number[]): Rebound[] {
    return this.whileStopped(fds.map((fd) => ({ fd })), (stopped) => {
      const opened = batched(stopped, (some) => {
        this.native.openWindows(some.map(({ fd }) => fd));
        return some;
      });
      return opened.map((result) => (result instanceof Failure ? 'failed' : 'ok'));
    });
  }

  private whileStopped<Request extends { readonly fd: number }>(
    requests: readonly Request[],
    work: (stopped: readonly Request[]) => readonly Rebound[],
  ): Rebound[] {
    const inodes = requests.map(({ fd }) => this.native.describeSocket(fd).inode);
    const owners = this.owners.find(inodes).filter(({ pid }) => pid !== process.pid);
    const freeze = new Freeze(this.native, this.programs, this.log);
    const started = performance.now();
    try {
      freeze.stop([...new Set(owners.map(({ pid }) => pid))]);
      const refusals = new Map(owners.flatMap(({ inode, pid }) => {
        const refusal = freeze.refusals.get(pid);
        return refusal === undefined ? [] : [[inode, refusal] as const];
      }));
      const stopped = requests.filter((_request, index) => !refusals.has(inodes[index]!));
      const results = new Map(work(stopped).map((result, index) => [stopped[index], result]));
      return requests.map((request, index) => refusals.get(inodes[index]!) ?? results.get(request) ?? 'failed');
    } finally {
      freeze.release();
      this.log.debug({ connections: requests.length, ms: performance.now() - started }, 'stopped for this');
    }
  }

  private follow(requests: readonly Rebind[]): Rebound[] {
    const saved = batched(requests, (some) => {
      const fds = some.map(({ fd }) => fd);
      // For good: a lease that ended from here on would let the old path's bytes into a saved socket.
      this.native.lock(fds, 0);
      return this.native.save(fds);
    });
    const revived = requests.map((request, index) => this.revive(request, saved[index]!));
    const released = batched(requests.filter((_request, index) => revived[index]), (some) => {
      this.native.release(some.map(({ fd }) => fd));
      return some;
    });
    const done = new Set(released.filter((request) => !(request instanceof Failure)));
    return requests.map((request) => (done.has(request) ? 'ok' : 'failed'));
  }

  private revive({ fd, remote, peerHas, windowIsShut }: Rebind, found: SavedSocket | Failure): boolean {
    if (found instanceof Failure) {
      this.log.error({ err: found.error, remote }, 'a peer could not be saved');
      this.attempt(() => this.native.unlock([fd]));
      return false;
    }
    const saved = windowIsShut === true ? { ...found, window: { ...found.window, sndWnd: 0 } } : found;
    try {
      const ends = { local: saved.local, remote: forFamily(remote, saved.family) };
      this.native.revive([{ fd, saved, ...ends, peerHas: peerHas ?? saved.sndUna }], true);
      return true;
    } catch (error) {
      this.log.error({ err: error, remote }, 'a peer could not be rebound');
      this.putBack(fd, saved);
      return false;
    }
  }

  /** Whether the revive has begun or not, it leaves a socket that can be revived again. */
  private putBack(fd: number, saved: SavedSocket): void {
    const { local, remote, sndUna } = saved;
    const isBack = this.attempt(() => {
      this.native.revive([{ fd, saved, local, remote, peerHas: sndUna }], true);
      this.native.release([fd]);
    });
    if (isBack) return;
    // The connection is lost; its program is to see that, not to wait for ever.
    this.attempt(() => this.native.unsave([fd]));
    this.attempt(() => this.native.unlock([fd]));
  }

  private attempt(undo: () => void): boolean {
    try {
      undo();
      return true;
    } catch (error) {
      this.log.error({ err: error }, 'a peer could not be put back');
      return false;
    }
  }
}

/** Processes that stand still. */
class Freeze {
  /** Why a process is not stopped. */
  readonly refusals = new Map<number, Rebound>();
  private readonly undo: (() => void)[] = [];

  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
    private readonly log: Logger,
  ) {}

  stop(pids: readonly number[]): void {
    const wrapped = new Map<PeerFreezer, number[]>();
    const others: number[] = [];
    for (const pid of pids) {
      const freezer = this.programs.freezerOf(pid);
      if (this.programs.isMigrating(pid)) this.refusals.set(pid, 'busy');
      else if (freezer === null) others.push(pid);
      else wrapped.set(freezer, [...(wrapped.get(freezer) ?? []), pid]);
    }
    for (const [freezer, members] of wrapped) this.stopWrapped(freezer, members);
    const traced = batched(others, (some) => {
      const handle = this.native.ptraceFreeze(some);
      this.undo.push(() => handle.release());
      return some;
    });
    traced.forEach((result, index) => {
      if (result instanceof Failure) this.refuse([others[index]!], result);
    });
  }

  release(): void {
    for (const thaw of this.undo.reverse()) {
      try {
        thaw();
      } catch (error) {
        this.log.error({ err: error }, 'a peer was not thawed');
      }
    }
  }

  private stopWrapped(freezer: PeerFreezer, pids: readonly number[]): void {
    try {
      freezer.freeze();
      this.undo.push(() => freezer.thaw());
    } catch (error) {
      this.refuse(pids, new Failure(error));
    }
  }

  private refuse(pids: readonly number[], failure: Failure): void {
    this.log.warn({ err: failure.error, pids }, 'a peer cannot be stopped');
    for (const pid of pids) this.refusals.set(pid, failure.isPermission ? 'not-permitted' : 'busy');
  }
}
