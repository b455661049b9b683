import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readSync, writeSync } from 'node:fs';
import { native } from '../../../src/native/index.js';

const flags = (fd: number) =>
  Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!, 8);
const O_CLOEXEC = 0o2000000;

function expectCloseOnExec(fds: readonly number[]): void {
  for (const fd of fds) expect(flags(fd) & O_CLOEXEC).toBe(O_CLOEXEC);
}

function read(fd: number): string {
  const buffer = Buffer.alloc(1024);
  return buffer.toString('latin1', 0, readSync(fd, buffer));
}

const opened: number[] = [];
function own<Fds extends readonly number[]>(fds: Fds): Fds {
  opened.push(...fds);
  return fds;
}
afterEach(() => {
  for (const fd of opened.splice(0)) native.closeFd(fd);
});

test('pipe: from the second end to the first', () => {
  const [from, to] = own(native.pipePair());
  expectCloseOnExec([from, to]);
  writeSync(to, 'through');
  expect(read(from)).toBe('through');
});

test('seqpacketPair: messages keep their boundaries', () => {
  const [one, other] = own(native.seqpacketPair());
  expectCloseOnExec([one, other]);
  writeSync(one, 'first');
  writeSync(one, 'second');
  expect(read(other)).toBe('first');
  expect(read(other)).toBe('second');
});

test('seqpacketPair: an end given to a child as stdio', async () => {
  const [one, other] = own(native.seqpacketPair());
  const child = spawn('sh', ['-c', 'printf hello >&3'], { stdio: ['ignore', 'inherit', 'inherit', other] });
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(read(one)).toBe('hello');
});

test('openPty: a terminal of that size, which can change', () => {
  const { master, slave } = native.openPty(24, 80);
  own([master, slave]);
  expectCloseOnExec([master, slave]);
  const size = () => execFileSync('stty', ['size'], { stdio: [slave, 'pipe', 'inherit'], encoding: 'latin1' });
  expect(size()).toBe('24 80\n');
  native.setWindowSize(master, 50, 132);
  expect(size()).toBe('50 132\n');
  const [from] = own(native.pipePair());
  expect(() => native.setWindowSize(from, 1, 1)).toThrow(expect.objectContaining({ code: 'ENOTTY', syscall: 'ioctl' }));
});
