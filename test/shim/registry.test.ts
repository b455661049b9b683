import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

import type { Native, Registry } from '../../src/native/index.js';
import { repo } from '../support/repo.js';
import { Programs, shim } from '../support/shim/programs.js';

/** Where test/shim/programs/check.h places it. */
const MEMORY_FD = 1023;
const EVENT_FD = 1022;

// eslint-disable-next-line @typescript-eslint/no-require-imports
const native = require(join(repo, 'build', 'Release', 'migrun.node')) as Native;

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

  test('knows the inet sockets that the program has', () => {
    expect(registry.inodes().sort()).toEqual([...inodes].sort());
  });

  test('gives records new inode numbers, all at once', () => {
    const [listener, near, far] = inodes;
    registry.moveInodes([
      [near, far],
      [far, near],
      [listener, 7],
    ]);
    expect(registry.inodes().sort()).toEqual([7, near, far].sort());
  });

  test('hears of changes', async () => {
    const pidfd = native.processOpen(pid);
    const eventfd = native.processTakeFd(pidfd, EVENT_FD);
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
    expect(() => registry.inodes()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
