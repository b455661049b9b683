/**
 * UNIX sockets: CRIU carries them. The rules are unix-rules.ts; what waits in their queues only a frozen program shows.
 */
import { readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { native } from '../../native/index';
import { socketInode } from '../../program/descriptors';
import { Pidfds } from '../../program/pidfds';
import { POLLIN } from '../../vocabulary/files';
import type { Reason } from '../../vocabulary/refusal';
import { TCP_LISTEN } from '../../vocabulary/sockets';
import { defineKind, type Facts, type Leaving } from '../kind';
import { type DescriptorContext, reasonOfDescriptor } from './rules';
import { boundNames, namesOfOthers, reasonsOfUnix } from './unix-rules';

const names = z.array(z.string().max(128));
const schema = z.object({ bound: names, /** Names of others' sockets, to which the program sends. */ others: names });
type Wanted = z.infer<typeof schema>;

/** What was found outlives a move: one that was refused may be tried again. */
/**
 * UNIX sockets in whose queues a message of no bytes was found. Only the first look shows it
 * (native/unix/unix_sockets.h), and a move that was refused for it may be tried again: so it is taken to be there until
 * its queue is empty.
 */
export class EmptyMessages {
  private readonly sockets = new Set<number>();

  /**
   * Whether an empty message is in the queue of the socket with this inode, by what a look showed and what poll(2) says
   * of it.
   */
  has(inode: number, { hasEmpty }: { readonly hasEmpty: boolean }, events: number): boolean {
    if (hasEmpty) this.sockets.add(inode);
    else if ((events & POLLIN) === 0) this.sockets.delete(inode);
    return this.sockets.has(inode);
  }
}

const emptyMessages = new EmptyMessages();

export const unix = defineKind({
  name: 'unix',

  refuse: ({ unixSockets }: Facts): Reason[] => reasonsOfUnix(unixSockets),

  needs: {
    schema,
    of({ unixSockets }: Facts): Wanted {
      return { bound: boundNames(unixSockets), others: namesOfOthers(unixSockets) };
    },
    judge({ bound, others }: Wanted): Reason[] {
      if (bound.length + others.length === 0) return [];
      const here = new Set(native.unixSockets().flatMap(({ name }) => name ?? []));
      return [...bound.flatMap((name) => judgeName(name, here)), ...others.filter((name) =>
        !here.has(name)
      ).map((name) => ({
        code: 'E_UNIX_NAME',
        message: `the program sends to the UNIX socket ${name}, and nobody has it there`,
      }))];
    },
  },

  leave: (): Leaving => ({ refuse: (_frozen, facts) => reasonsOfQueues(facts) }),
});

function judgeName(name: string, here: ReadonlySet<string>): Reason[] {
  if (here.has(name))
    return [{ code: 'E_UNIX_NAME', message: `the UNIX socket ${name} is another program's there` }];
  if (!name.startsWith('/')) return [];
  const found = statSync(name, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket())
    return [{ code: 'E_UNIX_NAME', message: `${name} is there, and is no UNIX socket` }];
  if (statSync(dirname(name), { throwIfNoEntry: false })?.isDirectory() === true) return [];
  return [{ code: 'E_FILE', message: `the folder of the UNIX socket ${name} is not here` }];
}

/** CRIU loses a message of no bytes and all behind it, and a socket that is on its way in a message is nobody's yet. */
function reasonsOfQueues({ processes, sockets, unixSockets: { own }, terminal }: Facts): Reason[] {
  if (own.length === 0) return [];
  const judged = new Set([...sockets, ...own].map(({ inode }) => inode));
  const context = { terminal: terminal?.path, sockets: judged, pids: new Set(processes.map(({ pid }) => pid)) };
  const queues = new Set(own.filter(({ state }) => state !== TCP_LISTEN).map(({ inode }) => inode));
  const pidfds = new Pidfds(native);
  const reasons: Reason[] = [];
  try {
    for (const { pid, descriptors, unseen = descriptors } of processes) {
      for (const { fd, target } of unseen) {
        const inode = socketInode({ target });
        // Each queue is looked at once, whoever else has the socket.
        if (inode === undefined || !queues.delete(inode)) continue;
        reasons.push(...reasonsOfQueue(pidfds.take(pid, fd), { fd, inode }, context));
      }
    }
  } finally {
    pidfds.close();
  }
  return reasons;
}

/** Gives the reasons that are in the queue of one socket. Closes `own`, our descriptor of it. */
function reasonsOfQueue(
  own: number,
  { fd, inode }: { fd: number; inode: number },
  context: DescriptorContext,
): Reason[] {
  const reasons: Reason[] = [];
  const which = `the UNIX socket of descriptor ${fd}`;
  try {
    const { fds, ...look } = native.unixLookAtQueue(own);
    if (emptyMessages.has(inode, look, native.pollEvents(own))) {
      const message = `a message of no bytes waits in ${which}; try again when it is received`;
      reasons.push({ code: 'E_UNIX_SOCKET', message });
    }
    for (const passed of fds) {
      const reason = reasonOfDescriptor({ fd: passed, target: readlinkSync(`/proc/self/fd/${passed}`) }, context);
      native.closeFd(passed);
      if (reason === undefined) continue;
      const what = reason.message.replace(/, which does not move$/, '');
      const message = `a message that waits in ${which} has ${what} on its way in it; try again when it is received`;
      reasons.push({ code: reason.code, message });
    }
    return reasons;
  } finally {
    native.closeFd(own);
  }
}
