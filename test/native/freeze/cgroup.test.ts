import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { native } from '../../../src/native/index.js';
import { compile } from '../../support/compile.js';
import { Target } from '../../support/native/target.js';

const mount = existsSync('/sys/fs/cgroup/unified/cgroup.procs') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
const group = join(mount, `mgn_${process.pid}`);
const program = compile(['test/native/programs/freeze_target.c']);
const targets: Target[] = [];

async function start(mode: string): Promise<Target> {
  const target = new Target(program.path, [mode]);
  targets.push(target);
  expect(await target.line()).toBe('ready');
  writeFileSync(join(group, 'cgroup.procs'), String(target.pid));
  return target;
}

const frozen = () => /frozen (\d)/.exec(readFileSync(join(group, 'cgroup.events'), 'latin1'))?.[1];

beforeAll(() => {
  mkdirSync(group);
});
afterEach(() => Promise.all(targets.splice(0).map((target) => target.end())));
afterAll(() => {
  rmdirSync(group);
  program.remove();
});

describe('cgroupFreeze', () => {
  test('is frozen when it returns, and runs after the thaw', async () => {
    const target = await start('recv');
    await start('threads');
    for (let round = 0; round < 50; round++) {
      native.cgroupFreeze(group, 1000);
      expect(frozen()).toBe('1');
      native.cgroupThaw(group);
      expect(frozen()).toBe('0');
    }
    target.say('on');
    expect(await target.line()).toBe('on');
  });

  test('an empty cgroup is frozen at once', () => {
    native.cgroupFreeze(group, 1000);
    expect(frozen()).toBe('1');
    native.cgroupThaw(group);
  });

  test('a process that does not freeze in time: ETIMEDOUT, and the cgroup is thawed', async () => {
    const target = await start('recv');
    // There are more running threads than processors, so not all can have seen the freeze at once.
    for (let i = 0; i < availableParallelism(); i++) await start('threads');
    expect(() => native.cgroupFreeze(group, 0)).toThrow(
      expect.objectContaining({ code: 'ETIMEDOUT', syscall: 'cgroup.freeze' }),
    );
    expect(readFileSync(join(group, 'cgroup.freeze'), 'latin1')).toBe('0\n');
    target.say('on');
    expect(await target.line()).toBe('on');
  });

  test('no such cgroup: ENOENT', () => {
    expect(() => native.cgroupFreeze(`${group}_none`, 1000)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => native.cgroupThaw(`${group}_none`)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
