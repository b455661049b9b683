/** Processes, files and timers, as far as Node.js has no call for them (native/kernel/). */

export interface Watch {
  close(): void;
}

export interface MessageSocket {
  send(message: Buffer): void;
  close(): void;
}

/** timerfd_settime(2); times in nanoseconds, the end on the timer's clock as our own time namespace has it. */
export interface TimerSetting {
  readonly flags: number;
  readonly end: bigint;
  readonly interval: bigint;
  /** That nobody has read yet. */
  readonly expirations: bigint;
}

export interface NativeKernel {
  processOpen(pid: number): number;
  /** Our own descriptor of what `fd` is in that process. */
  processTakeFd(pidfd: number, fd: number): number;
  /** prctl(PR_SET_CHILD_SUBREAPER). */
  processBecomeSubreaper(): void;
  /** sched_setaffinity(2) of a thread, by its tid here. Throws EINVAL where this host has none of these CPUs for it. */
  processSetAffinity(tid: number, cpus: readonly number[]): void;
  /** Reaps one child (own or adopted) when it ends; code is 128 + signal for a signal. */
  watchExit(pidfd: number, onExit: (code: number) => void): Watch;
  /** Any pidfd: called once the process ended; nothing is reaped. */
  watchDeath(pidfd: number, onDeath: () => void): Watch;

  closeFd(fd: number): void;
  pipePair(): [number, number];
  seqpacketPair(): [number, number];
  /**
   * Message-wise reading and writing of a SOCK_SEQPACKET descriptor, which it takes over. onClose once at EOF or error.
   */
  openMessageSocket(fd: number, onMessage: (message: Buffer) => void, onClose: () => void): MessageSocket;
  openPty(rows: number, columns: number): { master: number; slave: number };
  setWindowSize(fd: number, rows: number, columns: number): void;
  /** Sets a timer of timerfd_create(2), which may be another process's. */
  setTimer(fd: number, setting: TimerSetting): void;
  /** clock_gettime(2), in nanoseconds. */
  clockNow(clock: number): bigint;
  /** What poll(2) says of a descriptor now, of POLLIN, POLLOUT, POLLERR and POLLHUP. */
  pollEvents(fd: number): number;
  /** rename(2) that replaces nothing: throws EEXIST; EINVAL where the file system cannot. */
  renameExclusive(from: string, to: string): void;
}
