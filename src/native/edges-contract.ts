/** What programs that wait on epoll sets have been told already (native/epoll_edges.h). */

/** Descriptor `fd` of a process, an epoll set; whoever uses it stands still. */
export interface EpollPlace {
  readonly pid: number;
  readonly fd: number;
}

/** Of an item, by the number by which the set knows it. */
export interface EdgeNote {
  readonly fd: number;
  /** EPOLL*: what its file has, and the program was told of. */
  readonly told: number;
  /** One-shot, and told of. */
  readonly isDisarmed: boolean;
}

/** Both throw ENOENT, ESRCH or EBADF where the process or the set is gone. */
export interface NativeEdges {
  /**
   * Before something makes every edge of the set a fresh one. What was told of sockets with these inodes, which are
   * locked; with `isWhole`, also of what else nobody but the program changes. Only items of which there is something to note.
   */
  lookAtEdges(set: EpollPlace, inodes: readonly number[], isWhole: boolean): EdgeNote[];
  /** After that: what was told stays so. `isRestored`: the set is a new one. */
  settleEdges(set: EpollPlace, notes: readonly EdgeNote[], isRestored: boolean): void;
}
