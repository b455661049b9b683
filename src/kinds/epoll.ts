/**
 * Epoll sets: CRIU makes them anew, and so every edge in them a fresh one. What the program was told of edge-triggered
 * descriptors is noted at the source and settled at the target (native/epoll/edges.h). If the program stays, it is
 * settled there, because the accept queues were emptied and filled again.
 */
import { z } from 'zod';
import { EPOLL_INODE, native } from '../native/index';
import { place } from '../vocabulary/place';
import { isTcp } from '../vocabulary/sockets';
import { defineTravellingKind, type Frozen } from './kind';

/** An epoll set, and a note for each of its items that the program was told of. */
const movingSet = place.extend({
  notes: z.array(z.object({
    fd: z.int().nonnegative(),
    /** The events (EPOLL*) that the program was told of. */
    told: z.int().min(0).max(0x7fff),
    isDisarmed: z.boolean(),
  })),
});
type MovingSet = z.infer<typeof movingSet>;

export const epoll = defineTravellingKind({
  name: 'epoll',

  saved: {
    schema: z.array(movingSet),
    practice: [{ innerPid: 1, fd: 0, notes: [{ fd: 0, told: 0, isDisarmed: false }] }],
  },

  leave: () => {
    let sets: MovingSet[] = [];
    return {
      take: (frozen) => void (sets = lookAtEdges(frozen)),
      state: () => sets,
      putBack({ innerPids }) {
        const pids = new Map([...innerPids].map(([pid, innerPid]) => [innerPid, pid]));
        for (const { innerPid, fd, notes } of sets) {
          const pid = pids.get(innerPid);
          if (pid !== undefined) unlessGone(() => native.epollSettle({ pid, fd }, notes, false));
        }
      },
    };
  },

  arrive: () => ({
    settle(saved, { descriptors }) {
      for (const set of saved) {
        const pid = descriptors.pidOf(set);
        if (pid !== undefined) native.epollSettle({ pid, fd: set.fd }, set.notes, true);
      }
    },
  }),
});

function lookAtEdges({ innerPids, sockets }: Frozen): MovingSet[] {
  const tcp = sockets.filter(isTcp).map(({ inode }) => inode);
  return native.ownersFind([EPOLL_INODE], [...innerPids.keys()]).flatMap(({ pid, fd }): MovingSet[] => {
    const notes = unlessGone(() => native.epollLook({ pid, fd }, tcp, true)) ?? [];
    return notes.length === 0 ? [] : [{ innerPid: innerPids.get(pid) as number, fd, notes }];
  });
}

/** Gives undefined where a process was killed meanwhile, or a set has files that CRIU will not find either. */
function unlessGone<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EBADF', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
