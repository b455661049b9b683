/**
 * Which descriptors cannot move, and why: what CRIU 4.2 refuses, and what it makes anew without a part of it. The table
 * is docs/descriptors.md. There is no I/O here: a descriptor may be one of a process, or one on its way in a message.
 */
import { GHOST_LIMIT_BYTES } from '../../criu/worker';
import type { DescriptorFact, OpenFile } from '../../program/descriptors';
import { isFifo, O_DIRECT, POLLIN } from '../../vocabulary/files';
import type { Reason } from '../../vocabulary/refusal';

/** What CRIU carries among descriptors that are neither files nor sockets; anything else is refused by its name. */
const CARRIED_INODES = ['eventfd', 'eventpoll', 'timerfd', 'signalfd', 'inotify', 'pidfd'];
const CARRIED_DEVICES = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'];

const NAMES_OF_INODES: Record<string, string> = {
  io_uring: 'an io_uring',
  perf_event: 'a perf event',
  userfaultfd: 'a userfaultfd',
  fanotify: 'a fanotify group',
  'bpf-map': 'a BPF map',
  'bpf-prog': 'a BPF program',
  secretmem: 'a secret memory area',
};

const PROC_SUPER_MAGIC = 0x9fa0;
const MQUEUE_MAGIC = 0x19800202;
const LARGEST_COUNT = 0xffff_ffffn;

export interface DescriptorContext {
  /** The target of the terminal's descriptors, where the program has one. */
  readonly terminal: string | undefined;
  /** Inodes of the sockets that other rules judge. */
  readonly sockets: ReadonlySet<number>;
  /** The pids of the program's processes, as this host counts them. */
  readonly pids: ReadonlySet<number>;
}

/** A reason's message goes on from "process 2 (server) has". */
export function reasonOfDescriptor({ target, file }: DescriptorFact, context: DescriptorContext): Reason | undefined {
  const anonymous = /^anon_inode:\[?([^\]]*)\]?$/.exec(target)?.[1] ?? /^\/(secretmem) /.exec(target)?.[1];
  if (anonymous !== undefined && !CARRIED_INODES.includes(anonymous)) {
    const name = NAMES_OF_INODES[anonymous] ?? `a descriptor of kind ${anonymous}`;
    return { code: anonymous === 'io_uring' ? 'E_IO_URING' : 'E_DESCRIPTOR', message: `${name}, which cannot move` };
  }
  const [, kind, number] = /^(\w+):\[(\d+)\]$/.exec(target) ?? [];
  if (kind === 'socket' && !context.sockets.has(Number(number))) {
    return { code: 'E_SOCKET_KIND', message: 'a socket that is neither TCP nor UDP nor UNIX, which does not move' };
  }
  if (kind !== undefined && !['socket', 'pipe', 'pidfd'].includes(kind)) {
    return { code: 'E_DESCRIPTOR', message: `the ${kind} namespace of this host open, which stays here` };
  }
  if (
    target.startsWith('/dev/') && !target.startsWith('/dev/shm/') && target !== context.terminal
    && !CARRIED_DEVICES.includes(target) && file?.filesystem !== MQUEUE_MAGIC
  ) {
    return { code: 'E_DEVICE', message: `the device ${target} open, which stays on this host` };
  }
  return file === undefined ? undefined : reasonOfFile(target, file, context);
}

function reasonOfFile(target: string, file: OpenFile, { pids }: DescriptorContext): Reason | undefined {
  const { details } = file;
  const refused = (message: string, code = 'E_DESCRIPTOR'): Reason => ({ code, message });
  if (details['eventfd-semaphore'] === '1')
    return refused('an eventfd with EFD_SEMAPHORE, which CRIU would make a plain one');
  if (BigInt(`0x${details['eventfd-count'] ?? '0'}`) > LARGEST_COUNT)
    return refused(
      'an eventfd with a count of more than 32 bits, of which CRIU would lose some; try again when it is read',
    );
  if (target.includes('inotify') && file.filesystem === undefined && (file.events & POLLIN) !== 0) {
    return refused('events of inotify that it has not read, which CRIU would lose; try again when it has');
  }
  const pid = Number(details['Pid'] ?? '-1');
  if (pid >= 0 && !pids.has(pid)) return refused('a pidfd of a process that is not of the program');
  if (isFifo(file.mode) && (file.flags & O_DIRECT) !== 0)
    return refused('a pipe in packet mode (O_DIRECT), which CRIU does not carry');
  if (file.filesystem === MQUEUE_MAGIC) return refused(`the message queue ${target} open, which stays on this host`);
  if (file.filesystem === PROC_SUPER_MAGIC && /^\/proc\/\d/.test(target))
    return refused(`${target} open: on another host that number is another process's`);
  return isDeleted(target) ? reasonOfDeleted(target, file) : undefined;
}

function reasonOfDeleted(target: string, { links, bytes, filesystem }: OpenFile): Reason | undefined {
  if (filesystem === undefined || target.startsWith('/memfd:')) return undefined;
  if (links > 0)
    return {
      code: 'E_FILE',
      message: `${target} open, which is still there under another name: CRIU cannot find it by that`,
    };
  if (bytes > GHOST_LIMIT_BYTES)
    return {
      code: 'E_FILE',
      message:
        `${target} open: ${bytes} bytes that no host has but in this file, and at most ${GHOST_LIMIT_BYTES} move`,
    };
  return undefined;
}

export function isDeleted(target: string): boolean {
  return target.endsWith(' (deleted)');
}
