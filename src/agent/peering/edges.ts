/** What programs have been told of edge-triggered sockets, across the rebind of some of these, which wakes their waiters. */

import type { EdgeNote, EpollPlace, Native } from '../../native';

interface Looked {
  readonly set: EpollPlace;
  readonly notes: readonly EdgeNote[];
}

export class PeerEdges {
  private readonly looked: readonly Looked[];

  /** Of epoll sets whose processes stand still, and sockets of theirs that are locked. */
  constructor(
    private readonly native: Native,
    sets: readonly EpollPlace[],
    inodes: readonly number[],
  ) {
    this.looked = sets.map(({ pid, fd }) => ({
      set: { pid, fd },
      notes: native.epollLook({ pid, fd }, inodes, false),
    }));
  }

  /** The sockets have been revived, and are still locked. */
  settle(): void {
    for (const { set, notes } of this.looked)
      if (notes.some(({ told }) => told !== 0)) this.native.epollSettle(set, notes, false);
  }
}
