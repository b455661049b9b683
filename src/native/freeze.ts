/** Stopping processes, and calls that were interrupted by it (native/freeze/). */

export interface NativeFreeze {
  /** Writes cgroup.freeze and waits until it is so; throws ETIMEDOUT, having thawed it again. */
  cgroupFreeze(path: string, timeoutMs: number): void;
  cgroupThaw(path: string): void;
  /** PTRACE_SEIZE + INTERRUPT of every thread of these processes. */
  ptraceFreeze(pids: readonly number[]): { release(): void };
  /**
   * Begins again what the freeze of these processes, by a cgroup, made fail with EINTR (native/freeze/restart_calls.h).
   * Gives how many calls.
   */
  restartCalls(pids: readonly number[]): number;
}
