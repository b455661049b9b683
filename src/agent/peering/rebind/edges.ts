/** What programs have been told of edge-triggered sockets, kept across a rebind, which wakes who waits for these. */

import type { EdgeNote, EpollPlace, Native } from '../../../native';

interface Looked {
  readonly set: EpollPlace;
  readonly notes: readonly EdgeNote[];
}

export class PeerEdges {
  private readonly looked: readonly Looked[];

  /** The processes of these epoll sets stand still, and the sockets are locked. */
  constructor(
    private readonly native: Native,
    sets: readonly EpollPlace[],
    inodes: readonly number[],
  ) {
    this.looked = sets.map(({ pid, fd }) => ({
      set: { pid, fd },
      notes: native.lookAtEdges({ pid, fd }, inodes, false),
    }));
  }

  /** The sockets have been revived, and are still locked. */
  settle(): void {
    for (const { set, notes } of this.looked)
      if (notes.some(({ told }) => told !== 0)) this.native.settleEdges(set, notes, false);
  }
}
