/** What a program has been told of edge-triggered descriptors, from the host that it leaves to the one where its epoll sets are new ones. */
import { EPOLL_INODE, native, type ProgramSocket } from '../native/index';
import { IPPROTO_TCP } from '../vocabulary/sockets';
import { RestoredDescriptors } from './restored-descriptors';
import type { MovingSet } from './state';

/** Of a frozen program whose connections are locked. */
export function lookAtEdges(innerPids: ReadonlyMap<number, number>, held: readonly ProgramSocket[]): MovingSet[] {
  const tcp = held.filter(({ protocol }) => protocol === IPPROTO_TCP).map(({ inode }) => inode);
  return native.ownersFind([EPOLL_INODE], [...innerPids.keys()]).flatMap(({ pid, fd }): MovingSet[] => {
    const notes = unlessGone(() => native.epollLook({ pid, fd }, tcp, true)) ?? [];
    return notes.length === 0 ? [] : [{ innerPid: innerPids.get(pid) as number, fd, notes }];
  });
}

/** Of a process that was killed meanwhile, or a set with files that CRIU will not find either. */
function unlessGone<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EBADF', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Where the program stays: what waited to be accepted is back in the queues. */
export function settleAgain(sets: readonly MovingSet[], innerPids: ReadonlyMap<number, number>): void {
  const pids = new Map([...innerPids].map(([pid, innerPid]) => [innerPid, pid]));
  for (const { innerPid, fd, notes } of sets) {
    const pid = pids.get(innerPid);
    if (pid !== undefined) unlessGone(() => native.epollSettle({ pid, fd }, notes, false));
  }
}

/** Of the restored program, its sockets revived and still locked. */
export function settleEdges(sets: readonly MovingSet[], cgroup: string): void {
  const restored = new RestoredDescriptors(cgroup);
  for (const set of sets) {
    const pid = restored.pidOf(set);
    if (pid !== undefined) native.epollSettle({ pid, fd: set.fd }, set.notes, true);
  }
}
