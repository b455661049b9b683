/**
 * Sockets in groups whose owners stand still together. The groups share no process: while the sockets of one are worked
 * on, the owners of all others run.
 */

/** What is to be done with a socket, and the processes that have it open. */
export interface Owned<Request> {
  readonly request: Request;
  readonly pids: readonly number[];
}

interface StopGroup<Request> {
  readonly pids: readonly number[];
  readonly members: readonly Owned<Request>[];
}

/** `programOf` gives the program of a process, which can only be stopped as a whole; null: the process is on its own. */
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
