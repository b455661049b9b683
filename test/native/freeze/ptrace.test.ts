import { once } from 'node:events';
import { native } from '../../../src/native/index.js';
import { compile } from '../../support/compile.js';
import { Target, threadStates, ticks, unstopped } from '../../support/native/target.js';
import { until } from '../../support/until.js';

const program = compile(['test/native/programs/freeze_target.c']);
const targets: Target[] = [];

async function start(mode: string): Promise<Target> {
  const target = new Target(program.path, [mode]);
  targets.push(target);
  expect(await target.line()).toBe('ready');
  return target;
}

afterEach(() => Promise.all(targets.splice(0).map((target) => target.end())));
afterAll(() => program.remove());

describe('ptraceFreeze', () => {
  test('a process blocked in recv goes on as if nothing was', async () => {
    const target = await start('recv');
    for (let round = 0; round < 100; round++) {
      const freeze = native.ptraceFreeze([target.pid]);
      expect(threadStates(target.pid)).toEqual(['t']);
      freeze.release();
    }
    target.say('hello');
    expect(await target.line()).toBe('hello');
  });

  test('what arrives during the freeze is read after it', async () => {
    const target = await start('recv');
    const freeze = native.ptraceFreeze([target.pid]);
    target.say('early');
    expect(threadStates(target.pid)).toEqual(['t']);
    freeze.release();
    expect(await target.line()).toBe('early');
  });

  test('stops every thread, also those that are being made', async () => {
    const target = await start('threads');
    for (let round = 0; round < 50; round++) {
      const freeze = native.ptraceFreeze([target.pid]);
      expect(threadStates(target.pid).length).toBeGreaterThanOrEqual(6);
      expect(unstopped(target.pid)).toEqual([]);
      freeze.release();
    }
    const before = ticks(target.pid);
    await until(() => ticks(target.pid) > before);
  });

  test('several processes at once', async () => {
    const both = [await start('recv'), await start('threads')];
    const freeze = native.ptraceFreeze(both.map((target) => target.pid));
    for (const target of both) expect(unstopped(target.pid)).toEqual([]);
    freeze.release();
    both[0]!.say('on');
    expect(await both[0]!.line()).toBe('on');
  });

  test('no signal is lost, whether it is being delivered or comes meanwhile', async () => {
    const target = await start('signals');
    for (let round = 0; round < 200; round++) native.ptraceFreeze([target.pid]).release();
    target.say('enough');
    expect(await target.line()).toBe('0');
  });

  test('a signal that ends the process ends it after the release', async () => {
    const target = await start('recv');
    const freeze = native.ptraceFreeze([target.pid]);
    target.child.kill('SIGTERM');
    expect(threadStates(target.pid)).toEqual(['t']);
    freeze.release();
    expect(await once(target.child, 'exit')).toEqual([null, 'SIGTERM']);
  });

  test('a process that is killed while frozen is reaped by its parent', async () => {
    const target = await start('threads');
    const freeze = native.ptraceFreeze([target.pid]);
    const exit = once(target.child, 'exit');
    target.child.kill('SIGKILL');
    freeze.release();
    expect(await exit).toEqual([null, 'SIGKILL']);
  });

  test('a stopped process is stopped afterwards', async () => {
    const target = await start('recv');
    target.child.kill('SIGSTOP');
    await until(() => threadStates(target.pid)[0] === 'T');
    native.ptraceFreeze([target.pid]).release();
    await until(() => threadStates(target.pid)[0] === 'T');
    target.say('waiting');
    expect(threadStates(target.pid)).toEqual(['T']);
    target.child.kill('SIGCONT');
    expect(await target.line()).toBe('waiting');
  });

  test('a process that is traced already: EPERM, and whoever else was stopped runs', async () => {
    const [traced, free] = [await start('recv'), await start('recv')];
    const first = native.ptraceFreeze([traced.pid]);
    expect(() => native.ptraceFreeze([free.pid, traced.pid])).toThrow(
      expect.objectContaining({ code: 'EPERM', syscall: 'ptrace' }),
    );
    free.say('free');
    expect(await free.line()).toBe('free');
    first.release();
    traced.say('released');
    expect(await traced.line()).toBe('released');
  });

  test('a thread that does not stop in time: ETIMEDOUT, and it never stops later', async () => {
    const [held, free] = [await start('vfork'), await start('recv')];
    expect(() => native.ptraceFreeze([free.pid, held.pid])).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }));
    free.say('free');
    expect(await free.line()).toBe('free');
    held.child.stdin.end();
    expect(await held.line()).toBe('returned');
    expect(await once(held.child, 'exit')).toEqual([0, null]);
  });

  test('passes over processes that do not exist', async () => {
    const target = await start('recv');
    await target.end();
    native.ptraceFreeze([target.pid]).release();
    native.ptraceFreeze([]).release();
  });

  test('release may be called again', async () => {
    const target = await start('recv');
    const freeze = native.ptraceFreeze([target.pid]);
    freeze.release();
    freeze.release();
    target.say('on');
    expect(await target.line()).toBe('on');
  });
});
