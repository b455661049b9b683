import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

import type { Native } from '../../src/native/contract.js';
import { repo } from '../support/repo';
import { Programs, shim } from '../support/shim/programs.js';

/** preload/registry.h, as test/shim/programs/init.c places it. */
const MEMORY_FD = 1023;
const EVENT_FD = 1022;
const SYS_FUTEX = '202 ';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const native = require(join(repo, 'build', 'Release', 'migrun.node')) as Native;

type Registry = ReturnType<Native['mapRegistry']> & {
  moveInodes(pairs: readonly (readonly [number, number])[]): void;
  sweep(alive: readonly number[]): number;
};

describe("the supervisor's view of the registry", () => {
  let programs: Programs;
  let holder: ChildProcessByStdio<Writable, Readable, null>;
  let pid: number;
  let registry: Registry;
  let inodes: [listener: number, near: number, far: number];

  beforeAll(() => {
    programs = new Programs(['init', 'holder']);
  });

  afterAll(() => {
    programs.remove();
  });

  beforeEach(async () => {
    holder = spawn(programs.path('init'), [shim, programs.path('holder')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(holder.stdout, 'data')) as [Buffer];
    inodes = line.toString().split(' ').map(Number) as [number, number, number];
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8');
    pid = Number(children);
    const memfd = openSync(`/proc/${pid}/fd/${MEMORY_FD}`, 'r+');
    registry = native.mapRegistry(memfd);
    closeSync(memfd);
  });

  afterEach(async () => {
    registry.close();
    holder.stdin.end();
    if (holder.exitCode === null) await once(holder, 'exit');
  });

  async function untilWaiting(): Promise<void> {
    while (!readFileSync(`/proc/${pid}/syscall`, 'utf8').startsWith(SYS_FUTEX)) await setImmediate();
  }

  const inodesOf = (sockets: ReturnType<Registry['sockets']>) => sockets.map((socket) => socket.inode).sort();
  /** Node's pipes to a child are sockets, too: of AF_UNIX. */
  const known = () => inodesOf(registry.sockets().filter((socket) => socket.family === 2));

  test('lists the sockets that the program has', () => {
    const sockets = registry.sockets();
    expect(known()).toEqual([...inodes].sort());
    expect(sockets.find((socket) => socket.inode === inodes[0])).toEqual({
      inode: inodes[0],
      family: 2,
      type: 1,
      state: 'listening',
      references: 1,
    });
    expect(sockets.find((socket) => socket.inode === inodes[1])?.state).toBe('connected');
  });

  test('freezes one socket, and its thaw wakes who waits', async () => {
    expect(registry.setFrozen(inodes[1], true)).toBe(true);
    holder.stdin.write('x');
    await untilWaiting();
    expect(registry.setFrozen(inodes[1], false)).toBe(true);
    const [answer] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(answer.toString()).toBe('x');
  });

  test('says where it does not know a socket', () => {
    expect(registry.setFrozen(1, true)).toBe(false);
  });

  test('gives records new inode numbers, all at once', () => {
    const [listener, near, far] = inodes;
    expect(registry.setFrozen(near, true)).toBe(true);
    registry.moveInodes([
      [near, far],
      [far, near],
      [listener, 7],
    ]);
    expect(known()).toEqual([7, near, far].sort());
    expect(registry.setFrozen(listener, true)).toBe(false);
    expect(registry.setFrozen(far, false)).toBe(true);
  });

  test('drops the records of sockets that are no more', () => {
    const [listener, near, far] = inodes;
    const alive = inodesOf(registry.sockets()).filter((inode) => inode !== far);
    expect(registry.sweep(alive)).toBe(1);
    expect(known()).toEqual([listener, near].sort());
    expect(registry.sweep([...alive, far])).toBe(0);
  });

  test('hears of changes', async () => {
    const pidfd = native.pidfdOpen(pid);
    const eventfd = native.pidfdGetfd(pidfd, EVENT_FD);
    closeSync(pidfd);
    const heard: number[] = [];
    const watch = native.watchEvents(eventfd, () => heard.push(1));
    while (heard.length === 0) await setImmediate();
    const before = heard.length;
    holder.stdin.write('x');
    await once(holder.stdout, 'data');
    while (heard.length === before) await setImmediate();
    watch.close();
    expect(heard.length).toBeGreaterThan(before);
  });

  test('refuses what is no registry, and use after close', () => {
    const fd = openSync(__filename, 'r');
    expect(() => native.mapRegistry(fd)).toThrow(expect.objectContaining({ code: 'EPROTO' }));
    closeSync(fd);
    expect(() => native.mapRegistry(999_999)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    registry.close();
    expect(() => registry.sockets()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
