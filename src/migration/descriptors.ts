/**
 * A program's files, pipes and UNIX sockets: what the target must have for them, and what of them only the program that
 * stands still shows. The rules are descriptor-rules.ts and unix-rules.ts.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { native } from '../native/index';
import { describeDescriptors, type DescriptorFact, socketInode, socketInodes } from '../program/descriptors';
import type { ProgramFacts } from '../program/facts';
import { Pidfds } from '../program/pidfds';
import type { Arrival } from '../protocol/control/index';
import { isRegular, O_ACCMODE, O_APPEND, O_RDONLY, O_WRONLY } from '../vocabulary/files';
import type { Reason } from '../vocabulary/reason';
import { TCP_LISTEN } from '../vocabulary/sockets';
import { type DescribedProcess, type DescriptorContext, isDeleted, reasonOfDescriptor,
  reasonsOfPipes } from './descriptor-rules';
import { EmptyMessages } from './empty-messages';
import type { SourceContext } from './source-context';
import { boundNames, namesOfOthers, reasonsOfUnix, unixFacts } from './unix-rules';

type Wanted = Arrival['descriptors'];

/** Of the program that this process supervises. */
const emptyMessages = new EmptyMessages();

export function describeWanted({ processes, unix }: ProgramFacts): Wanted {
  const facts = unixFacts(socketInodes(processes), unix);
  const files = processes.flatMap(({ descriptors }) => descriptors).filter(isNamedFile);
  const opened = new Map<string, Wanted['opened'][number]>();
  for (const one of files.map(openedFile)) {
    const known = opened.get(one.path);
    opened.set(
      one.path,
      known === undefined ? one : { ...one, size: one.size ?? known.size, grows: one.grows || known.grows },
    );
  }
  const locked = new Set(files.filter(({ file }) => 'lock' in file.details).map(({ target }) => target));
  return {
    opened: [...opened.values()],
    locked: [...locked],
    unixNames: boundNames(facts),
    unixPeers: namesOfOthers(facts),
  };
}

type NamedFile = DescriptorFact & Required<Pick<DescriptorFact, 'file'>>;

/** One that CRIU opens again by its path. */
function isNamedFile(descriptor: DescriptorFact): descriptor is NamedFile {
  const { target, file } = descriptor;
  return file?.filesystem !== undefined && !isDeleted(target)
    && (!target.startsWith('/dev/') || target.startsWith('/dev/shm/')) && !target.startsWith('/memfd:');
}

function openedFile({ target, file }: NamedFile): Wanted['opened'][number] {
  const { flags, mode, size } = file;
  const access = flags & O_ACCMODE;
  // CRIU compares sizes but for logs (should_check_size in criu/files-reg.c).
  const isLog = access === O_WRONLY && (flags & O_APPEND) !== 0;
  return { path: target, mode, size: isRegular(mode) && !isLog ? size : null, grows: access !== O_RDONLY };
}

/** What the target lacks for them. */
export function judgeDescriptors({ descriptors: { opened, locked, unixNames, unixPeers } }: Arrival): Reason[] {
  const bound = unixNames.length + unixPeers.length === 0
    ? new Set<string>()
    : new Set(native.unixSockets().flatMap(({ name }) => name ?? []));
  return [
    ...opened.flatMap(reasonsOfOpened),
    ...locked.flatMap(reasonsOfLocked),
    ...unixNames.flatMap((name) => reasonsOfName(name, bound)),
    ...unixPeers.filter((name) => !bound.has(name)).map((name) => ({
      code: 'E_UNIX_NAME',
      message: `the program sends to the UNIX socket ${name}, and nobody has it there`,
    })),
  ];
}

function reasonsOfOpened({ path, mode, size, grows }: Wanted['opened'][number]): Reason[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [{ code: 'E_FILE', message: `${path}, which the program has open, is not here` }];
  if (found.mode !== mode)
    return [{
      code: 'E_FILE',
      message: `${path} is another one here: its mode is ${found.mode.toString(8)}, not ${mode.toString(8)}`,
    }];
  if (size === null || found.size === size || (grows && found.size > size)) return [];
  return [{
    code: 'E_FILE',
    message: `${path}, which the program has open, is another one here: ${found.size} bytes, not ${size}`,
  }];
}

/** By whomever: also by the program itself, where both hosts have the same disk. It would have its lock twice. */
function reasonsOfLocked(path: string): Reason[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !readFileSync('/proc/locks', 'utf8').includes(` ${lockName(found)} `)) return [];
  return [{ code: 'E_FILE_LOCK', message: `${path}, on which the program has a lock, is locked there` }];
}

/** As lock_get_status() in fs/locks.c prints it: "MAJOR:MINOR:INODE". */
function lockName({ dev, ino }: { dev: number; ino: number }): string {
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  return `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}:${ino}`;
}

function reasonsOfName(name: string, bound: ReadonlySet<string>): Reason[] {
  if (bound.has(name)) return [{ code: 'E_UNIX_NAME', message: `the UNIX socket ${name} is another program's there` }];
  if (!name.startsWith('/')) return [];
  const found = statSync(name, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket())
    return [{ code: 'E_UNIX_NAME', message: `${name} is there, and is no UNIX socket` }];
  if (statSync(dirname(name), { throwIfNoEntry: false })?.isDirectory() === true) return [];
  return [{ code: 'E_FILE', message: `the folder of the UNIX socket ${name} is not here` }];
}

/** Of a frozen program: what has changed since the preflight, and what a running one's queues do not show. */
export function reasonsOfLateDescriptors({ facts, held, innerPids, program }: SourceContext): Reason[] {
  const inet = new Set(held.map(({ inode }) => inode));
  const before = new Map((facts as ProgramFacts).processes.map((process) => [process.pid, process]));
  const processes = [...innerPids].map(([pid, innerPid]) => {
    const known = new Map(before.get(pid)?.descriptors.map((descriptor) => [descriptor.fd, descriptor]));
    const isAsBefore = (fd: number): boolean => known.has(fd) && !mayChange(known.get(fd) as DescriptorFact, inet);
    const fresh = describeDescriptors(pid, (fd) => !isAsBefore(fd));
    return {
      pid,
      innerPid,
      name: before.get(pid)?.name ?? '?',
      fresh,
      descriptors: [...[...known.values()].filter(({ fd }) => isAsBefore(fd)), ...fresh],
    };
  });
  const others = processes.flatMap(({ pid, fresh }) =>
    fresh.flatMap(({ fd, ...rest }) => ({ pid, fd, inode: socketInode(rest) }))
  ).filter(({ inode }) => inode !== undefined && !inet.has(inode));
  const unix = unixFacts(
    new Set(others.flatMap(({ inode }) => inode ?? [])),
    others.length === 0 ? [] : native.unixSockets(),
  );
  const context = {
    terminal: program.terminal?.path,
    sockets: new Set([...inet, ...unix.own.map(({ inode }) => inode)]),
    pids: new Set(innerPids.keys()),
  };
  const queues = unix.own.flatMap(
    ({ inode, state }) => (state === TCP_LISTEN ? [] : (others.find((other) => other.inode === inode) ?? [])),
  );
  return [...processes.flatMap((process) => reasonsOfFresh(process, context)), ...reasonsOfPipes(processes),
    ...reasonsOfUnix(unix), ...reasonsOfQueues(queues, context)];
}

/** Not while it stays open: a file, a pipe, an inet socket are what they were. */
function mayChange(descriptor: DescriptorFact, inet: ReadonlySet<number>): boolean {
  const inode = socketInode(descriptor);
  return inode === undefined ? /^anon_inode:\[?(eventfd|inotify)/.test(descriptor.target) : !inet.has(inode);
}

function reasonsOfFresh(
  { innerPid, name, fresh }: Omit<DescribedProcess, 'descriptors'> & { fresh: readonly DescriptorFact[] },
  context: DescriptorContext,
): Reason[] {
  return fresh.flatMap((descriptor) => {
    const reason = reasonOfDescriptor(descriptor, context);
    return reason === undefined
      ? []
      : [{
        code: reason.code,
        message: `process ${innerPid} (${name}) has ${reason.message} (descriptor ${descriptor.fd})`,
      }];
  });
}

/** Each UNIX socket's queue: CRIU loses a message of no bytes and all behind it, and a socket that is on its way is in nobody's hands. */
function reasonsOfQueues(
  places: readonly { pid: number; fd: number; inode: number | undefined }[],
  context: DescriptorContext,
): Reason[] {
  const pidfds = new Pidfds(native);
  try {
    return places.flatMap(({ pid, fd, inode = 0 }) => {
      const own = pidfds.take(pid, fd);
      try {
        const { fds, ...look } = native.unixLookAtQueue(own);
        return reasonsOfQueue(fd, { hasEmpty: emptyMessages.has(inode, look, native.pollEvents(own)), fds }, context);
      } finally {
        native.closeFd(own);
      }
    });
  } finally {
    pidfds.close();
  }
}

function reasonsOfQueue(
  fd: number,
  { hasEmpty, fds }: ReturnType<typeof native.unixLookAtQueue>,
  context: DescriptorContext,
): Reason[] {
  const reasons: Reason[] = hasEmpty
    ? [{
      code: 'E_UNIX_SOCKET',
      message: `a message of no bytes waits in the UNIX socket of descriptor ${fd}; try again when it is received`,
    }]
    : [];
  for (const passed of fds) {
    const target = readlinkSync(`/proc/self/fd/${passed}`);
    const reason = reasonOfDescriptor({ fd: passed, target }, context);
    if (reason !== undefined)
      reasons.push({
        code: reason.code,
        message: `a message that waits in the UNIX socket of descriptor ${fd} has ${
          reason.message.replace(/, which does not move$/, '')
        } on its way in it; try again when it is received`,
      });
    native.closeFd(passed);
  }
  return reasons;
}
