/** What the kernel numbers of open files: flags of open(2), modes of stat(2), events of poll(2). */

export const [O_RDONLY, O_WRONLY, O_ACCMODE] = [0, 1, 3] as const;
export const O_APPEND = 0o2000;
export const O_DIRECT = 0o40000;
export const O_PATH = 0o10000000;

const [S_IFMT, S_IFIFO, S_IFREG] = [0o170000, 0o010000, 0o100000] as const;

export const [POLLIN, POLLERR, POLLHUP] = [1, 8, 16] as const;

export function isFifo(mode: number): boolean {
  return (mode & S_IFMT) === S_IFIFO;
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}
