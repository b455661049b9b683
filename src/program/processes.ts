/** A program's processes, as far as /proc shows them: each may end at any time, between two looks as well. */
import { existsSync, readFileSync } from 'node:fs';
import { innerPid, pidsOf } from './pod';

/**
 * Whether a failure to read something in /proc/<pid> says that the process has ended. A namespace's link that is found
 * before its process is reaped and read after it is EACCES (proc_ns_readlink() in fs/proc/namespaces.c).
 */
export function hasEnded(error: unknown, pid: number): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ESRCH'].includes(code) || (code === 'EACCES' && !existsSync(`/proc/${pid}`));
}

/** The pids of a cgroup's processes; none where the cgroup is gone. */
export function livingIn(cgroup: string): number[] {
  try {
    return pidsOf(cgroup);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** PID 1 of a pod, by the pid that it has here; undefined: it has ended, and all of the program with it. */
export function initOf(cgroup: string): number | undefined {
  return livingIn(cgroup).find((pid) => ifAlive(pid, () => innerPid(pid)) === 1);
}

/** The process that traces one of a program's, be it a debugger or a CRIU that dumps. */
export function tracerOf(cgroup: string): number | undefined {
  const statuses = pidsOf(cgroup).map((pid) => ifAlive(pid, () => readFileSync(`/proc/${pid}/status`, 'utf8')));
  return statuses.map((text = '') => Number(/^TracerPid:\s*(\d+)$/m.exec(text)?.[1] ?? 0)).find((pid) => pid !== 0);
}

function ifAlive<Result>(pid: number, look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    if (hasEnded(error, pid)) return undefined;
    throw error;
  }
}
