import { randomBytes } from 'node:crypto';
import { closeSync, readSync, statSync, writeSync } from 'node:fs';
import { loadConfig } from '../../src/config';
import { native, type Registry } from '../../src/native/index';
import { createPod, destroyCgroup, freezeProgram, pidsOf, type Pod, thawProgram } from '../../src/program/pod';
import { removeInitDirectory } from '../../src/program/record';
import { mapRegistry, registryFdsOf, sweepRegistry } from '../../src/program/registry';
import { Programs } from '../support/shim/programs';

const FREEZE_MS = 5_000;

/** Blocks until it comes. */
function line(fd: number): string {
  const buffer = Buffer.alloc(256);
  return buffer.toString('latin1', 0, readSync(fd, buffer)).trim();
}

describe('a registry that is swept', () => {
  let programs: Programs;
  let pod: Pod;
  let registry: Registry;

  beforeAll(() => {
    programs = new Programs(['killed']);
  });

  afterAll(() => programs.remove());

  afterEach(async () => {
    registry.close();
    await destroyCgroup(pod.cgroup);
    removeInitDirectory(pod.id);
    if (pod.stdio.kind === 'pipes') {
      for (const fd of [pod.stdio.stdin!, pod.stdio.stdout, pod.stdio.stderr]) closeSync(fd);
    }
  });

  /** Its memory, in KiB. */
  function size(): number {
    return statSync(`/proc/${pod.initPid}/fd/${registryFdsOf(pod.initPid)!.memory}`).blocks / 2;
  }

  function sweep(): void {
    freezeProgram(pod.cgroup, registry, FREEZE_MS);
    const held = native.socketCollect(pidsOf(pod.cgroup));
    sweepRegistry(registry, held);
    for (const { fd } of held) native.closeFd(fd);
    thawProgram(pod.cgroup, registry);
  }

  test.each([
    ['few', 3, 100],
    ['more than its first part has room for', 70, 500],
  ])('forgets the sockets of killed children, %s, and has no memory for them', async (_, children, sockets) => {
    const command = [programs.path('killed'), String(children), String(sockets)];
    pod = await createPod(loadConfig(), { id: randomBytes(4).toString('hex'), command, terminal: undefined });
    if (pod.stdio.kind !== 'pipes') throw new Error('no pipes');
    const open = line(pod.stdio.stdout).split(' ').map(Number).sort();
    registry = mapRegistry(pod.initPid)!;
    expect(registry.inodes().length).toBeGreaterThan(children * sockets);
    const before = size();
    sweep();
    const after = size();
    expect(registry.inodes().sort()).toEqual(open);
    expect(after).toBeLessThan(Math.min(before, 64));
    expect(registry.hiddenOptions().sockets).toHaveLength(2);
    sweep();
    expect(registry.inodes().sort()).toEqual(open);
    writeSync(pod.stdio.stdin!, 'x');
    expect(line(pod.stdio.stdout)).toBe('right');
  });
});
