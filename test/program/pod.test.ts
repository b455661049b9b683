import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, readSync, rmSync, writeFileSync,
  writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config';
import { native } from '../../src/native/index';
import { takeDescriptor } from '../../src/program/pidfds';
import { cgroupOf, createPod, destroyCgroup, INIT_SIGNAL_CLOSE_STDIN, innerPid, pidsOf,
  type Pod } from '../../src/program/pod';
import { initDirectoryOf, removeInitDirectory } from '../../src/program/record';
import { registryFdsOf } from '../../src/program/registry';
import { takePipes } from '../../src/program/stdio';
import { compile } from '../support/compile';
import { until } from '../support/until';

const config = loadConfig();
const root = join(__dirname, '..', '..');

const pods: Pod[] = [];
afterEach(async () => {
  for (const pod of pods.splice(0)) {
    await destroyCgroup(pod.cgroup);
    removeInitDirectory(pod.id);
    for (const fd of farEnds(pod)) closeSync(fd);
  }
});

const newId = () => randomBytes(4).toString('hex');

function farEnds({ stdio }: Pod): number[] {
  if (stdio.kind === 'terminal') return [stdio.terminal.master];
  return stdio.kind === 'pipes' ? [stdio.stdin, stdio.stdout, stdio.stderr].filter((fd) => fd !== undefined) : [];
}

async function start(...command: string[]): Promise<Pod> {
  const pod = await createPod(config, { id: newId(), command, terminal: undefined });
  pods.push(pod);
  return pod;
}

function pipesOf({ stdio }: Pod): { stdin: number; stdout: number; stderr: number } {
  if (stdio.kind !== 'pipes' || stdio.stdin === undefined) throw new Error('no pipes');
  return { stdin: stdio.stdin, stdout: stdio.stdout, stderr: stdio.stderr };
}

/** Blocks until it comes. */
function read(fd: number): string {
  const buffer = Buffer.alloc(4096);
  return buffer.toString('latin1', 0, readSync(fd, buffer));
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('createPod', () => {
  /** In a process that is their subreaper. */
  function statusOf(id: string, init: string): unknown {
    const script = `
      const [dist, id, init] = process.argv.slice(1);
      const { native } = require(dist + '/native');
      const { createPod, removeCgroup } = require(dist + '/program/pod');
      const { removeInitDirectory } = require(dist + '/program/record');
      const config = { ...require(dist + '/config').loadConfig(), init };
      native.processBecomeSubreaper();
      createPod(config, { id, command: ['sh', '-c', 'echo hi; echo no >&2; exit 3'] }).then((pod) => {
        const pidfd = native.processOpen(pod.initPid);
        native.watchExit(pidfd, async (status) => {
          const read = (fd) => { const bytes = Buffer.alloc(100); return bytes.toString('utf8', 0, require('fs').readSync(fd, bytes)); };
          const said = { status, stdout: read(pod.stdio.stdout), stderr: read(pod.stdio.stderr) };
          await removeCgroup(pod.cgroup);
          removeInitDirectory(id);
          console.log(JSON.stringify(said));
          process.exit();
        });
      });`;
    return JSON.parse(
      execFileSync(process.execPath, ['-e', script, join(root, 'dist'), id, init], { encoding: 'utf8' }),
    );
  }

  test("runs the command, whose status is init's", () => {
    const id = newId();
    expect(statusOf(id, config.init)).toEqual({ status: 3, stdout: 'hi\n', stderr: 'no\n' });
    expect(existsSync(cgroupOf(id))).toBe(false);
  });

  test('tells the status also where init is given to us late', () => {
    const lingering = compile(['test/program/programs/lingering_init.c']);
    try {
      expect(statusOf(newId(), lingering.path)).toMatchObject({ status: 3 });
    } finally {
      lingering.remove();
    }
  });

  test('gives it a PID namespace, a session, a cgroup and the shim, and leaves it where it was started', async () => {
    const pod = await start('sh', '-c', 'echo $$ $LD_PRELOAD; read line');
    const [pid, shim] = read(pipesOf(pod).stdout).trim().split(' ');
    expect(shim).toBe(config.shim);
    const pids = pidsOf(pod.cgroup);
    expect(pids).toHaveLength(2);
    expect(pids).toContain(pod.initPid);
    expect(innerPid(pod.initPid)).toBe(1);
    const program = pids.find((each) => each !== pod.initPid)!;
    expect(readlinkSync(`/proc/${pod.initPid}/cwd`)).toBe(initDirectoryOf(pod.id));
    expect(readlinkSync(`/proc/${program}/cwd`)).toBe(process.cwd());
    expect(innerPid(program)).toBe(Number(pid));
    expect(/^NSsid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${program}/status`, 'utf8'))?.[1]).toBe(pid);
    expect(readlinkSync(`/proc/${program}/ns/pid`)).not.toBe(readlinkSync('/proc/self/ns/pid'));
    expect(readlinkSync(`/proc/${program}/ns/net`)).toBe(readlinkSync('/proc/self/ns/net'));
  });

  test('input reaches it, and the end of input when init has closed its end too', async () => {
    const pod = await start('sh', '-c', 'read line; echo "got $line"; cat; echo end; read more; sleep 1000');
    const { stdin, stdout } = pipesOf(pod);
    writeSync(stdin, 'this\n');
    expect(read(stdout)).toBe('got this\n');
    native.closeFd(stdin);
    Object.assign(pod.stdio, { stdin: undefined });
    process.kill(pod.initPid, INIT_SIGNAL_CLOSE_STDIN);
    expect(read(stdout)).toBe('end\n');
  });

  test("a signal to init is the program's", async () => {
    const pod = await start('sh', '-c', 'trap "echo caught" TERM; echo ready; while :; do read line; done');
    const { stdout } = pipesOf(pod);
    expect(read(stdout)).toBe('ready\n');
    process.kill(pod.initPid, 'SIGTERM');
    expect(read(stdout)).toBe('caught\n');
  });

  test("with a terminal, it is the program's controlling one, of the size that was asked for", async () => {
    const pod = await createPod(config, {
      id: newId(),
      command: ['sh', '-c', 'stty size < /dev/tty; read line'],
      terminal: { rows: 33, columns: 101 },
    });
    pods.push(pod);
    if (pod.stdio.kind !== 'terminal') throw new Error(pod.stdio.kind);
    expect(read(pod.stdio.terminal.master)).toBe('33 101\r\n');
    expect(pod.stdio.terminal.path).toMatch(/^\/dev\/pts\/\d+$/);
  });

  test.each([
    ['is not there', ['/nowhere/at-all'], 'ENOENT'],
    ['is on no PATH', ['no-such-command-anywhere'], 'ENOENT'],
    ['is a folder', ['/tmp'], 'EACCES'],
  ])('a command that %s is E_EXEC, and leaves nothing', async (_what, command, errno) => {
    const id = newId();
    const fds = openPipes();
    await expect(createPod(config, { id, command, terminal: undefined })).rejects.toMatchObject({
      code: 'E_EXEC',
      message: `cannot execute ${command[0]}: ${errno}`,
      hint: expect.any(String) as string,
    });
    expect(existsSync(cgroupOf(id))).toBe(false);
    expect(existsSync(initDirectoryOf(id))).toBe(false);
    expect(openPipes()).toEqual(fds);
  });

  test('an init that is not there is told, and leaves nothing', async () => {
    const id = newId();
    await expect(createPod({ ...config, init: '/nowhere/migrun-init' }, { id, command: ['true'], terminal: undefined }))
      .rejects.toMatchObject({ code: 'E_INIT' });
    expect(existsSync(cgroupOf(id))).toBe(false);
  });

  test('an init that says nothing is E_INIT', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'migrun-pod-'));
    try {
      const init = join(folder, 'init');
      writeFileSync(init, '#!/bin/sh\nexit 0\n', { mode: 0o700 });
      await expect(createPod({ ...config, init }, { id: newId(), command: ['true'], terminal: undefined })).rejects
        .toMatchObject({ code: 'E_INIT' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('two programs of one id are refused, and the first lives on', async () => {
    const pod = await start('sh', '-c', 'read line');
    await expect(createPod(config, { id: pod.id, command: ['true'], terminal: undefined })).rejects.toMatchObject({
      code: 'EEXIST',
    });
    expect(alive(pod.initPid)).toBe(true);
  });
});

/** The pipes that this process has open. */
function openPipes(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:');
    } catch {
      return false; // the folder's own
    }
  });
}

describe('init', () => {
  test('keeps the far ends: another supervisor takes them from it', async () => {
    const pod = await start('sh', '-c', 'echo hello; read line');
    const { stdin, stdout, stderr } = pipesOf({ ...pod, stdio: takePipes(pod.initPid) });
    expect(read(stdout)).toBe('hello\n');
    for (const fd of [stdin, stdout, stderr]) closeSync(fd);
  });

  test('keeps the registry, which maps, and its eventfd', async () => {
    const pod = await start('sh', '-c', 'echo ready; read line');
    expect(read(pipesOf(pod).stdout)).toBe('ready\n');
    const fds = registryFdsOf(pod.initPid)!;
    expect(readlinkSync(`/proc/${pod.initPid}/fd/${fds.memory}`)).toContain('memfd:migrun-registry');
    expect(readlinkSync(`/proc/${pod.initPid}/fd/${fds.event}`)).toBe('anon_inode:[eventfd]');
    const memory = takeDescriptor(pod.initPid, fds.memory);
    const registry = native.mapRegistry(memory);
    expect(registry.inodes()).toEqual([]);
    registry.close();
    closeSync(memory);
  });

  test('a process that is no init has no registry', () => {
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
    try {
      expect(registryFdsOf(other.pid!)).toBeUndefined();
    } finally {
      other.kill('SIGKILL');
    }
  });
});

describe('destroyCgroup', () => {
  test('ends what is in it, frozen or not', async () => {
    const pod = await start('sh', '-c', 'sleep 1000 & sleep 1000');
    await until(() => pidsOf(pod.cgroup).length >= 3);
    const pids = pidsOf(pod.cgroup);
    native.cgroupFreeze(pod.cgroup, 1000);
    await destroyCgroup(pod.cgroup);
    expect(existsSync(pod.cgroup)).toBe(false);
    await until(() => !pids.some(alive));
  });

  test('of one that is gone is done', async () => {
    await destroyCgroup(cgroupOf(newId()));
  });
});
