/** What a program has been told of edge-triggered descriptors, from the host that it leaves to the one where its epoll sets are new ones. */
import { EPOLL_INODE, native, type EdgeNote, type HeldSocket } from '../native/index';
import { RestoredDescriptors } from './restored-descriptors';
import type { MovingSet } from './state';

const IPPROTO_TCP = 6;

/** Of a frozen program whose connections are locked. */
export function lookAtEdges(innerPids: ReadonlyMap<number, number>, held: readonly HeldSocket[]): MovingSet[] {
  const tcp = held.filter(({ protocol }) => protocol === IPPROTO_TCP).map(({ inode }) => inode);
  return native.findOwners([EPOLL_INODE], [...innerPids.keys()]).flatMap(({ pid, fd }): MovingSet[] => {
    const notes = notesOf(pid, fd, tcp);
    return notes.length === 0 ? [] : [{ innerPid: innerPids.get(pid) as number, fd, notes }];
  });
}

/** Of a process that was killed meanwhile there are none; nor of a set with files that CRIU will not find either. */
function notesOf(pid: number, fd: number, tcp: readonly number[]): EdgeNote[] {
  try {
    return native.lookAtEdges({ pid, fd }, tcp, true);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EBADF', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** Of the restored program, its sockets revived and still locked. */
export function settleEdges(sets: readonly MovingSet[], cgroup: string): void {
  const restored = new RestoredDescriptors(cgroup);
  for (const set of sets) {
    const pid = restored.pidOf(set);
    if (pid !== undefined) native.settleEdges({ pid, fd: set.fd }, set.notes, true);
  }
}
