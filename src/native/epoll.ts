/** Edges that programs have seen stay seen when an epoll set or a socket is made anew (native/epoll/edges.h). */

/** Descriptor `fd` of a process, an epoll set; whoever uses it stands still. */
export interface EpollPlace {
  readonly pid: number;
  readonly fd: number;
}

/** What the program was told of an item. */
export interface EdgeNote {
  /** The number by which the set knows the item. */
  readonly fd: number;
  /** The events (EPOLL*) that its file has, and that the program was told of. */
  readonly told: number;
  /** It is one-shot, and the program was told of it. */
  readonly isDisarmed: boolean;
}

/** Both throw ENOENT, ESRCH or EBADF where the process or the set is gone. */
export interface NativeEpoll {
  /**
   * Is called before something makes every edge of the set a fresh one. Notes what the program was told of sockets with
   * these inodes, which are locked; with `isWhole`, also of what else nobody but the program changes. Only of items of
   * which it was told anything.
   */
  epollLook(set: EpollPlace, inodes: readonly number[], isWhole: boolean): EdgeNote[];
  /** Is called after that, so that what was told is not told again. `isRestored`: the set is a new one. */
  epollSettle(set: EpollPlace, notes: readonly EdgeNote[], isRestored: boolean): void;
}
