import { existsSync } from 'node:fs';

/**
 * Whether a failure to read something in /proc/<pid> says that the process has ended. A namespace's link that is found
 * before its process is reaped and read after it is EACCES (proc_ns_readlink() in fs/proc/namespaces.c).
 */
export function hasEnded(error: unknown, pid: number): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ESRCH'].includes(code) || (code === 'EACCES' && !existsSync(`/proc/${pid}`));
}
