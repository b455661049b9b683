import { reasonOfDescriptor } from '../../../src/kinds/descriptors/rules';
import type { OpenFile } from '../../../src/program/descriptors';
import { anonymous, file, pipeEnd } from '../../support/kinds/facts';

const CONTEXT = { terminal: undefined, sockets: new Set([77]), pids: new Set([500, 501]) };

const codeOf = (target: string, opened?: OpenFile): string | undefined =>
  reasonOfDescriptor(opened === undefined ? { fd: 3, target } : { fd: 3, target, file: opened }, CONTEXT)?.code;

test.each([
  ['an eventfd', 'anon_inode:[eventfd]',
    anonymous({ details: { 'eventfd-count': 'ffffffff', 'eventfd-semaphore': '0' } })],
  ['inotify without events', 'anon_inode:inotify', anonymous()],
  ["a pidfd of the program's own", 'pidfd:[900]', anonymous({ details: { Pid: '501' } })],
  ['a pidfd of a process that has ended', 'anon_inode:[pidfd]', anonymous({ details: { Pid: '-1' } })],
  ['a pipe', 'pipe:[12]', pipeEnd()],
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
  ['a pipe in packet mode', 'pipe:[12]', 'E_DESCRIPTOR', pipeEnd({ flags: 0o40001 })],
  ['a namespace', 'net:[4026531840]', 'E_DESCRIPTOR', anonymous()],
  ['a file of a process', '/proc/500/stat', 'E_DESCRIPTOR', file({ filesystem: 0x9fa0 })],
  ['a message queue', '/queue', 'E_DESCRIPTOR', file({ filesystem: 0x19800202 })],
  ['a deleted file under another name', '/srv/data (deleted)', 'E_FILE', file({ links: 1 })],
  ['a large deleted file', '/srv/data (deleted)', 'E_FILE', file({ links: 0, bytes: (64 << 20) + 512 })],
])('%s is refused', (_name, target, code, opened) => {
  expect(codeOf(target, opened)).toBe(code);
});
