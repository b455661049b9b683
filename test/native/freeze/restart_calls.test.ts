import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../../../src/native/index.js';
import { compile } from '../../support/compile.js';
import { Target } from '../../support/native/target.js';
import { until } from '../../support/until.js';

const SYS_READ = '0';
const FREEZE_MS = 1000;

const mount = existsSync('/sys/fs/cgroup/unified/cgroup.procs') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
const group = join(mount, `mgr_${process.pid}`);
const program = compile(['test/native/programs/freeze_target.c']);
const targets: Target[] = [];

/** Resolves when the target waits for a line. */
async function start(mode: string): Promise<Target> {
  const target = new Target(program.path, [mode]);
  targets.push(target);
  expect(await target.line()).toBe('ready');
  writeFileSync(join(group, 'cgroup.procs'), String(target.pid));
  if (mode === 'stdio') await untilReading(target);
  return target;
}

const untilReading = ({ pid }: Target) =>
  until(() => readFileSync(`/proc/${pid}/syscall`, 'latin1').split(' ')[0] === SYS_READ);

/** Freezes the target and begins its calls again; returns how many. */
function frozen(target: Target, meanwhile: () => void = () => undefined): number {
  native.cgroupFreeze(group, FREEZE_MS);
  meanwhile();
  const count = native.restartCalls([target.pid]);
  native.cgroupFreeze(group, FREEZE_MS);
  native.cgroupThaw(group);
  return count;
}

beforeAll(() => {
  mkdirSync(group);
});
afterEach(async () => {
  native.cgroupThaw(group);
  await Promise.all(targets.splice(0).map((target) => target.end()));
});
afterAll(() => {
  rmdirSync(group);
  program.remove();
});

describe('restartCalls', () => {
  test('a read of libc that a freeze has interrupted waits on', async () => {
    const target = await start('stdio');
    for (let round = 0; round < 100; round++) {
      expect(frozen(target)).toBe(1);
      await untilReading(target);
    }
    target.say('hello');
    expect(await target.line()).toBe('hello');
  });

  test('without it, it fails', async () => {
    const target = await start('stdio');
    native.cgroupFreeze(group, FREEZE_MS);
    native.cgroupThaw(group);
    expect(await target.line()).toBe('EINTR');
  });

  test('one that has something to give meanwhile gives it', async () => {
    const target = await start('stdio');
    expect(frozen(target, () => target.say('early'))).toBe(1);
    expect(await target.line()).toBe('early');
  });

  test('one whose program has a signal to handle stays interrupted', async () => {
    const target = await start('stdio');
    expect(frozen(target, () => target.child.kill('SIGUSR1'))).toBe(0);
    expect(await target.line()).toBe('EINTR');
  });

  test('one that the kernel begins again by itself is left alone, and so is what runs', async () => {
    const target = await start('recv');
    expect(frozen(target)).toBe(0);
    target.say('on');
    expect(await target.line()).toBe('on');
    expect(frozen(await start('threads'))).toBe(0);
  });

  test('so is a process that has ended, or that somebody else traces', async () => {
    const target = await start('stdio');
    const tracer = native.ptraceFreeze([target.pid]);
    expect(native.restartCalls([target.pid])).toBe(0);
    tracer.release();
    await target.end();
    expect(native.restartCalls([target.pid])).toBe(0);
  });
});
