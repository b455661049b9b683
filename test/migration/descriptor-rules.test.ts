import { reasonOfDescriptor, reasonsOfPipes } from '../../src/migration/descriptor-rules';
import type { DescriptorFact, OpenFile } from '../../src/program/descriptors';

const FIFO = 0o010600;
const CONTEXT = { terminal: undefined, sockets: new Set([77]), pids: new Set([500, 501]) };

function file(change: Partial<OpenFile> = {}): OpenFile {
  return {
    flags: 0,
    mode: 0o100644,
    identity: '1:2',
    size: 7,
    bytes: 4096,
    links: 1,
    filesystem: 0xef53,
    details: {},
    events: 0,
    ...change,
  };
}

const anonymous = (change: Partial<OpenFile>): OpenFile => file({ mode: 0o600, filesystem: undefined, ...change });
const codeOf = (target: string, opened?: OpenFile): string | undefined =>
  reasonOfDescriptor(opened === undefined ? { fd: 3, target } : { fd: 3, target, file: opened }, CONTEXT)?.code;

test.each([
  ['an eventfd', 'anon_inode:[eventfd]',
    anonymous({ details: { 'eventfd-count': 'ffffffff', 'eventfd-semaphore': '0' } })],
  ['inotify without events', 'anon_inode:inotify', anonymous({})],
  ["a pidfd of the program's own", 'pidfd:[900]', anonymous({ details: { Pid: '501' } })],
  ['a pidfd of a process that has ended', 'anon_inode:[pidfd]', anonymous({ details: { Pid: '-1' } })],
  ['a pipe', 'pipe:[12]', anonymous({ mode: FIFO })],
  ['a file', '/srv/data', file({ flags: 0o40000 })],
  ['a deleted file', '/srv/data (deleted)', file({ links: 0 })],
  ['a large memfd', '/memfd:cache (deleted)', file({ links: 0, bytes: 1 << 30 })],
  ['what the kernel says of itself', '/proc/meminfo', file({ filesystem: 0x9fa0 })],
])('%s moves', (_name, target, opened) => {
  expect(codeOf(target, opened)).toBeUndefined();
});

test.each([
  ['a semaphore', 'anon_inode:[eventfd]', 'E_DESCRIPTOR', anonymous({ details: { 'eventfd-semaphore': '1' } })],
  ['a count that is too large', 'anon_inode:[eventfd]', 'E_DESCRIPTOR',
    anonymous({ details: { 'eventfd-count': '100000000' } })],
  ['events of inotify', 'anon_inode:inotify', 'E_DESCRIPTOR', anonymous({ events: 1 })],
  ['a pidfd of somebody else', 'pidfd:[900]', 'E_DESCRIPTOR', anonymous({ details: { Pid: '502' } })],
  ['a pipe in packet mode', 'pipe:[12]', 'E_DESCRIPTOR', anonymous({ mode: FIFO, flags: 0o40001 })],
  ['a namespace', 'net:[4026531840]', 'E_DESCRIPTOR', anonymous({})],
  ['a file of a process', '/proc/500/stat', 'E_DESCRIPTOR', file({ filesystem: 0x9fa0 })],
  ['a message queue', '/queue', 'E_DESCRIPTOR', file({ filesystem: 0x19800202 })],
  ['a deleted file under another name', '/srv/data (deleted)', 'E_FILE', file({ links: 1 })],
  ['a large deleted file', '/srv/data (deleted)', 'E_FILE', file({ links: 0, bytes: (64 << 20) + 512 })],
])('%s is refused', (_name, target, code, opened) => {
  expect(codeOf(target, opened)).toBe(code);
});

describe('pipes', () => {
  const READ = 0;
  const WRITE = 1;
  const POLLERR = 8;
  const POLLHUP = 16;
  const process = (
    innerPid: number,
    ...ends: [flags: number, events: number][]
  ): { innerPid: number; name: string; descriptors: DescriptorFact[] } => ({
    innerPid,
    name: 'server',
    descriptors: ends.map(([flags, events], fd) => ({
      fd,
      target: 'pipe:[12]',
      file: anonymous({ mode: FIFO, flags, events }),
    })),
  });

  test.each([
    ['both ends in one process', [process(2, [READ, 0], [WRITE, 0])]],
    ['one in each of two', [process(2, [READ, 0]), process(3, [WRITE, 0])]],
    ['a reader whose writers are closed', [process(2, [READ, POLLHUP])]],
    ['a writer whose readers are closed', [process(2, [WRITE, POLLERR])]],
  ])('%s', (_name, processes) => {
    expect(reasonsOfPipes(processes)).toEqual([]);
  });

  test.each([
    ['reader', READ],
    ['writer', WRITE],
  ])('a %s whose other end is elsewhere is refused', (_name, flags) => {
    expect(reasonsOfPipes([process(2, [flags, 0])])).toEqual([{
      code: 'E_DESCRIPTOR',
      message: 'process 2 (server) has pipe:[12] open, whose other end another program has (descriptor 0)',
    }]);
  });
});
