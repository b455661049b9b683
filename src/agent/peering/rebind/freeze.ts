/**
 * Processes that stand still: a wrapped program by its freezer, which hides that from it, any other with ptrace.
 *
 * They do so in groups that share no process: while the sockets of one group are worked on, the owners of all others
 * run.
 */

import type { Status } from '../../../protocol/inband';
import { batched, Failure, type Host, type PeerFreezer } from '../host';

/**
 * What became of a connection that was to follow. ok: lives at the new address, unlocked. failed: as it was before, as
 * far as that can be, and unlocked. busy, not-permitted: its program cannot be stopped now; it was not touched.
 */
export type Rebound = Extract<Status, 'ok' | 'busy' | 'not-permitted' | 'failed'>;

export class Freeze {
  /** Why a process is not stopped. */
  readonly refusals = new Map<number, Rebound>();
  private readonly undo: (() => void)[] = [];

  constructor(private readonly host: Host) {}

  stop(pids: readonly number[]): void {
    const wrapped = new Map<PeerFreezer, number[]>();
    const others: number[] = [];
    for (const pid of pids) {
      const freezer = this.host.programs.freezerOf(pid);
      if (this.host.programs.isMigrating(pid)) this.refusals.set(pid, 'busy');
      else if (freezer === null) others.push(pid);
      else if (wrapped.get(freezer)?.push(pid) === undefined) wrapped.set(freezer, [pid]);
    }
    for (const [freezer, members] of wrapped) this.stopWrapped(freezer, members);
    const traced = batched(others, (some) => {
      const handle = this.host.native.ptraceFreeze(some);
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
        this.host.log.error({ err: error }, 'a peer was not thawed');
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
    this.host.log.warn({ err: failure.error, pids }, 'a peer cannot be stopped');
    for (const pid of pids) this.refusals.set(pid, failure.isPermission ? 'not-permitted' : 'busy');
  }
}

/** What is to be done with a socket, and the processes that have it open. */
export interface Owned<Request> {
  readonly request: Request;
  readonly pids: readonly number[];
}

interface StopGroup<Request> {
  readonly pids: readonly number[];
  readonly members: readonly Owned<Request>[];
}

/**
 * Groups sockets whose owners stand still together. `programOf` gives the program of a process, which can only be
 * stopped as a whole; null: the process is on its own.
 */
export function groupByOwners<Request>(
  owned: readonly Owned<Request>[],
  programOf: (pid: number) => object | null,
): StopGroup<Request>[] {
  const sets = new DisjointSets<object | number>();
  const units = new Map<number, object | number>();
  const unitOf = (pid: number): object | number => {
    const unit = units.get(pid) ?? programOf(pid) ?? pid;
    units.set(pid, unit);
    return unit;
  };
  for (const { pids } of owned) for (const pid of pids) sets.join(unitOf(pids[0]!), unitOf(pid));
  const groups = new Map<object | number | undefined, { pids: Set<number>; members: Owned<Request>[] }>();
  for (const one of owned) {
    const [first] = one.pids;
    const root = first === undefined ? undefined : sets.rootOf(unitOf(first));
    const group = groups.get(root) ?? { pids: new Set(), members: [] };
    groups.set(root, group);
    group.members.push(one);
    for (const pid of one.pids) group.pids.add(pid);
  }
  return [...groups.values()].map(({ pids, members }) => ({ pids: [...pids], members }));
}

class DisjointSets<Item> {
  private readonly parents = new Map<Item, Item>();

  rootOf(item: Item): Item {
    let root = item;
    for (let parent = this.parents.get(root); parent !== undefined; parent = this.parents.get(root)) root = parent;
    if (root !== item) this.parents.set(item, root);
    return root;
  }

  join(one: Item, other: Item): void {
    const [root, under] = [this.rootOf(one), this.rootOf(other)];
    if (root !== under) this.parents.set(under, root);
  }
}
