/**
 * Rebind: connections of running programs get a new remote address, and a new local one where it was a loopback
 * address, while their programs stand still for a moment.
 *
 * Between lock and release, no thread that uses the sockets may run (native/tcp/tcp.h), so every process that has
 * one of them open is stopped: a wrapped program by its freezer, which hides that from it, any other with ptrace.
 */

import type { EdgeNote, EpollPlace, SavedSocket } from '../../../native';
import { type Endpoint, endpointOfFamily } from '../../../vocabulary/endpoint';
import { batched, Failure, fdsOf, type Host } from '../host';

import { Freeze, groupByOwners, type Owned, type Rebound } from './freeze';
import type { Owners } from './owners';

/** A socket whose owners are to stand still. */
interface Stopping {
  /** Our descriptor. The socket may be locked or not. */
  readonly fd: number;
  readonly inode: number;
}

export interface Rebind extends Stopping {
  /** Both ends are as they are on the wire. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** How far the other end has received; null: nobody has said. */
  readonly peerHas: number | null;
  /** The other end has closed its window, whatever the socket says now (native/tcp/user_timeout.h). */
  readonly windowIsShut?: boolean;
}

/** Is done while these processes stand still for it. */
type Work<Request> = (stopped: readonly Request[], pids: readonly number[]) => readonly Rebound[];

export class Rebinder {
  constructor(private readonly host: Host, private readonly owners: Owners) {}

  rebind(requests: readonly Rebind[]): Rebound[] {
    return this.whileStopped(requests, (stopped, pids) => {
      const revived = this.reviveAll(stopped, pids);
      this.releaseAll(revived);
      return stopped.map((request) => (revived.has(request) ? 'ok' : 'failed'));
    });
  }

  /**
   * The same, but nothing is released before `tell` has settled: it has the other ends follow, and neither end sends
   * before both are there. It is given each revived connection's rcvNxt; all programs stand still until it is done.
   * Where one of them cannot be stopped, nothing is touched.
   */
  async rebindTogether(
    requests: readonly Rebind[],
    tell: (revived: ReadonlyMap<Rebind, number>) => Promise<void>,
  ): Promise<Rebound[]> {
    const freeze = new Freeze(this.host);
    try {
      const owners = this.owners.find(requests.map(({ inode }) => inode)).map(({ pid }) => pid);
      const pids = [...new Set(owners)].filter((pid) => pid !== process.pid);
      freeze.stop(pids);
      const [refusal] = freeze.refusals.values();
      if (refusal !== undefined) return requests.map(() => refusal);
      const revived = this.reviveAll(requests, pids);
      try {
        await tell(revived);
      } finally {
        this.releaseAll(revived);
      }
      return requests.map((request) => (revived.has(request) ? 'ok' : 'failed'));
    } finally {
      freeze.release();
    }
  }

  /** The sockets must be locked (native/tcp/user_timeout.h). */
  openWindows(sockets: readonly Stopping[]): Rebound[] {
    return this.whileStopped(sockets, (stopped) => {
      const opened = batched(stopped, (some) => this.host.native.tcpOpenWindows(fdsOf(some)));
      return opened.map((result) => (result instanceof Failure ? 'failed' : 'ok'));
    });
  }

  /** One synchronous stretch for all of them, in which each process stands still only for its own. */
  private whileStopped<Request extends Stopping>(requests: readonly Request[], work: Work<Request>): Rebound[] {
    const started = performance.now();
    const owners = new Map<number, number[]>();
    for (const { inode, pid } of this.owners.find(requests.map(({ inode }) => inode))) {
      if (pid !== process.pid) owners.set(inode, [...(owners.get(inode) ?? []), pid]);
    }
    const groups = groupByOwners(
      requests.map((request) => ({ request, pids: owners.get(request.inode) ?? [] })),
      (pid) => this.host.programs.freezerOf(pid),
    );
    const results = new Map(groups.flatMap(({ pids, members }) => this.whileGroupStopped(pids, members, work)));
    this.host.log.debug(
      { connections: requests.length, groups: groups.length, ms: performance.now() - started },
      'stopped for this',
    );
    return requests.map((request) => results.get(request) ?? 'failed');
  }

  private whileGroupStopped<Request>(
    pids: readonly number[],
    members: readonly Owned<Request>[],
    work: Work<Request>,
  ): [Request, Rebound][] {
    const freeze = new Freeze(this.host);
    try {
      freeze.stop(pids);
      const refusalOf = ({ pids: own }: Owned<Request>): Rebound | undefined =>
        own.map((pid) => freeze.refusals.get(pid)).find((refusal) => refusal !== undefined);
      const stopped = members.filter((member) => refusalOf(member) === undefined).map(({ request }) => request);
      const results = new Map(
        work(stopped, pids.filter((pid) => !freeze.refusals.has(pid))).map((result, index) => [stopped[index], result]),
      );
      return members.map((member) => [member.request, refusalOf(member) ?? results.get(member.request) ?? 'failed']);
    } finally {
      freeze.release();
    }
  }

  /** Gives those that are at their new address now, not released yet, each with its rcvNxt. The others are unlocked. */
  private reviveAll(requests: readonly Rebind[], pids: readonly number[]): Map<Rebind, number> {
    const locked = batched(requests, (some) =>
      // For good: a lease that ended from here on would let the old path's bytes into a saved socket.
      this.host.native.socketLock(fdsOf(some), 0));
    const able = requests.filter((_, index) => !(locked[index] instanceof Failure));
    const settleEdges = this.lookAtEdges(pids, able);
    const results = batched(able, (some) => this.host.native.tcpSave(fdsOf(some)));
    const saved = new Map(able.map((request, index) => [request, results[index]!]));
    const revived = requests.flatMap((request, index) => {
      const one = saved.get(request) ?? (locked[index] as Failure);
      return this.revive(request, one) && !(one instanceof Failure) ? [[request, one.rcvNxt] as const] : [];
    });
    this.attempt(settleEdges);
    return new Map(revived);
  }

  /**
   * Notes what programs have been told of edge-triggered sockets: a rebind wakes who waits for these. Gives what puts
   * that in order once the sockets are revived, and still locked. Where it fails, programs are told of old edges once
   * more.
   */
  private lookAtEdges(pids: readonly number[], requests: readonly Rebind[]): () => void {
    const { native } = this.host;
    const inodes = requests.map(({ inode }) => inode);
    let looked: { set: EpollPlace; notes: readonly EdgeNote[] }[] = [];
    this.attempt(() => {
      looked = this.owners.sets(inodes, pids).map(({ pid, fd }) => ({
        set: { pid, fd },
        notes: native.epollLook({ pid, fd }, inodes, false),
      }));
    });
    return () => {
      for (const { set, notes } of looked)
        if (notes.some(({ told }) => told !== 0)) native.epollSettle(set, notes, false);
    };
  }

  /** Takes those out of `revived` that cannot be released. */
  private releaseAll(revived: Map<Rebind, number>): void {
    const requests = [...revived.keys()];
    const released = batched(requests, (some) => this.host.native.tcpRelease(fdsOf(some)));
    requests.forEach((request, index) => {
      if (released[index] instanceof Failure) revived.delete(request);
    });
  }

  private revive({ fd, local, remote, peerHas, windowIsShut }: Rebind, found: SavedSocket | Failure): boolean {
    if (found instanceof Failure) {
      this.host.log.error({ err: found.error, remote }, 'a peer could not be saved');
      this.attempt(() => this.host.native.socketUnlock([fd]));
      return false;
    }
    const saved = windowIsShut === true ? { ...found, window: { ...found.window, sndWnd: 0 } } : found;
    try {
      const ends = { local: endpointOfFamily(local, saved.family), remote: endpointOfFamily(remote, saved.family) };
      this.host.native.tcpRevive([{ fd, saved, ...ends, peerHas: peerHas ?? saved.sndUna }], true);
      return true;
    } catch (error) {
      this.host.log.error({ err: error, remote }, 'a peer could not be rebound');
      this.putBack(fd, saved);
      return false;
    }
  }

  /** Whether the revive has begun or not, it leaves a socket that can be revived again. */
  private putBack(fd: number, saved: SavedSocket): void {
    const { local, remote, sndUna } = saved;
    const isBack = this.attempt(() => {
      this.host.native.tcpRevive([{ fd, saved, local, remote, peerHas: sndUna }], true);
      this.host.native.tcpRelease([fd]);
    });
    if (isBack) return;
    // The connection is lost; its program is to see that, not to wait for ever.
    this.attempt(() => this.host.native.tcpUnsave([fd]));
    this.attempt(() => this.host.native.socketUnlock([fd]));
  }

  private attempt(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      this.host.log.error({ err: error }, 'a peer was not put back as it was');
      return false;
    }
  }
}
