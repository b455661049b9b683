/** What the kernel says of a process's descriptors: names, files, and what /proc/<pid>/fdinfo has of them. */
import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../native/index';
import { isFifo } from '../vocabulary/files';
import { Pidfds } from './pidfds';
import { hasEnded } from './processes';

export interface DescriptorFact {
  readonly fd: number;
  /** What /proc/<pid>/fd says: a path, or "socket:[123]", "pipe:[123]", "anon_inode:[eventfd]". */
  readonly target: string;
  /** What is known of it where it is no socket. */
  readonly file?: OpenFile;
}

export interface OpenFile {
  /** The flags of open(2). */
  readonly flags: number;
  /** st_mode. */
  readonly mode: number;
  /** Device and inode. */
  readonly identity: string;
  readonly size: number;
  /** On disk. */
  readonly bytes: number;
  readonly links: number;
  /** statfs(2)'s f_type; of paths only. */
  readonly filesystem: number | undefined;
  /** The lines of fdinfo behind the common ones: "eventfd-count" and its like, with their first values. */
  readonly details: Readonly<Record<string, string>>;
  /** What poll(2) said; of pipes, FIFOs and inotify only. */
  readonly events: number;
}

/** The inode of a socket; undefined: the descriptor is something else. */
export function socketInode({ target }: Pick<DescriptorFact, 'target'>): number | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  return inode === undefined ? undefined : Number(inode);
}

export function socketInodes(processes: readonly { readonly descriptors: readonly DescriptorFact[] }[]): Set<number> {
  return new Set(
    processes.flatMap(({ descriptors }) => descriptors.flatMap((descriptor) => socketInode(descriptor) ?? [])),
  );
}

/**
 * Describes a process's descriptors, or those that are `wanted`. What a running process closes meanwhile is left out.
 */
export function describeDescriptors(pid: number, wanted?: (fd: number) => boolean): DescriptorFact[] {
  const folder = `/proc/${pid}/fd`;
  const pidfds = new Pidfds();
  try {
    return readdirSync(folder).map(Number).sort((a, b) => a - b).filter((fd) => wanted?.(fd) !== false).flatMap((fd) =>
      describe(pid, fd, pidfds) ?? []
    );
  } finally {
    pidfds.close();
  }
}

function describe(pid: number, fd: number, pidfds: Pidfds): DescriptorFact | undefined {
  const path = join('/proc', String(pid), 'fd', String(fd));
  try {
    const target = readlinkSync(path);
    return target.startsWith('socket:')
      ? { fd, target }
      : { fd, target, file: describeFile(path, target, () => pidfds.take(pid, fd)) };
  } catch (error) {
    if (hasEnded(error, pid) || (error as NodeJS.ErrnoException).code === 'EBADF') return undefined; // or closed it meanwhile
    throw error;
  }
}

function describeFile(path: string, target: string, take: () => number): OpenFile {
  const { mode, dev, ino, size, blocks, nlink } = statSync(path);
  const info = readFileSync(path.replace(/\/fd\/(\d+)$/, '/fdinfo/$1'), 'utf8');
  return {
    flags: parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8),
    mode,
    identity: `${dev}:${ino}`,
    size,
    bytes: blocks * 512,
    links: nlink,
    filesystem: target.startsWith('/') ? statfsSync(path).type : undefined,
    details: detailsIn(info),
    events: isFifo(mode) || /^anon_inode:\[?inotify/.test(target) ? eventsOf(take()) : 0,
  };
}

function detailsIn(info: string): Record<string, string> {
  const lines = [...info.matchAll(/^([\w-]+):\s*(.*)$/gm)].reverse();
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}

function eventsOf(own: number): number {
  try {
    return native.pollEvents(own);
  } finally {
    native.closeFd(own);
  }
}

/**
 * Gives the descriptors of this kind, "anon_inode:[timerfd]", of a program that stands still. One that is gone was
 * CRIU's, whose code in the program comes and goes while it dumps.
 */
export function descriptorsTo(pid: number, target: string): number[] {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => targetOf(`/proc/${pid}/fd/${fd}`) === target).map(Number);
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
