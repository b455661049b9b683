/**
 * A pod: a program's cgroup v2 and PID namespace, with migrun-init as PID 1 (native/init/init.c).
 *
 * One is made by `createPod` for a new program, and by CRIU on the target of a migration, where `adoptPod` takes it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdirSync, readFileSync, rmdirSync, watch, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { cgroupRoot, type Config, ownCgroup } from '../config';
import { MigrunError } from '../errors';
import { native, type Registry } from '../native/index';
import { REMOVE_TIMEOUT_MS } from '../times';
import { makeInitDirectory, removeInitDirectory } from './record';
import { openStdio, type StdioEnds } from './stdio';

/** SIGRTMAX: asks init to close its end of the program's stdin (native/init/init.h). */
export const INIT_SIGNAL_CLOSE_STDIN = 64;

const STEPS = ['started', 'join its cgroup', 'make a PID namespace', 'fork', 'start a session', 'make the registry',
  'set up its descriptors', 'execute the command', 'enter its directory'];

export interface Pod {
  readonly id: string;
  readonly cgroup: string;
  /** PID 1 of the namespace, as we see it. */
  readonly initPid: number;
  readonly stdio: StdioEnds;
}

export interface PodRequest {
  readonly id: string;
  readonly command: readonly string[];
  /** The size of its terminal; a program without one has pipes. */
  readonly terminal: { rows: number; columns: number } | undefined;
}

export function cgroupOf(id: string): string {
  return join(cgroupRoot(), id);
}

/** Makes the program's cgroup; throws EEXIST where another program has this id. */
export function makeCgroup(id: string): string {
  const cgroup = cgroupOf(id);
  mkdirSync(cgroupRoot(), { recursive: true });
  mkdirSync(cgroup);
  return cgroup;
}

/** Kills whatever is in the cgroup, frozen or not, and removes it. */
export async function destroyCgroup(cgroup: string): Promise<void> {
  try {
    writeFileSync(join(cgroup, 'cgroup.kill'), '1');
  } catch {
    return; // it is gone already
  }
  await removeCgroup(cgroup);
}

/** Removes a cgroup as soon as the last dying process has left it; resolves when it is gone, or stays. */
export async function removeCgroup(cgroup: string): Promise<void> {
  if (tryRemove(cgroup)) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
    const look = (): void => {
      if (tryRemove(cgroup)) settle();
    };
    const timer = setTimeout(settle, REMOVE_TIMEOUT_MS);
    // It changes when the cgroup becomes empty (cgroup-v2.rst, cgroup.events).
    const watcher = watch(join(cgroup, 'cgroup.events'), look);
    look();
  });
}

/** Gives false where processes are still in it. */
function tryRemove(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EBUSY';
  }
}

/**
 * To move a process to another cgroup, the kernel waits for an RCU grace period, 6 to 15 ms, unless another was moved
 * just before (cgroup_attach_lock(), rcu_sync_enter()); then it is 0.2 ms. A move that goes nowhere counts.
 */
export function hastenCgroupMoves(): void {
  writeFile(join(ownCgroup(), 'cgroup.procs'), String(process.pid)).catch(() => undefined);
}

export function pidsOf(cgroup: string): number[] {
  return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
}

/** Starts the program. Throws E_EXEC where the command cannot be executed; nothing is left behind then. */
export async function createPod(config: Config, request: PodRequest): Promise<Pod> {
  const cgroup = makeCgroup(request.id);
  const near: number[] = [];
  const far: number[] = [];
  try {
    const stdio = openStdio(request.terminal, near, far);
    const [reportRead, reportWrite] = native.pipePair();
    const flags = stdio.kind === 'terminal' ? ['--terminal'] : [];
    const places = ['--cgroup', cgroup, '--directory', makeInitDirectory(request.id), '--preload', config.shim];
    const child = spawn(config.init, [...places, ...flags, '--', ...request.command], {
      stdio: [...near, reportWrite, ...(stdio.kind === 'pipes' ? far : [])],
    });
    const spawnFailed = once(child, 'error').then(([cause]: Error[]): never => {
      throw new MigrunError('E_INIT', `migrun-init does not start: ${cause?.message}`, {
        hint: 'run tools/setup to build it',
        cause,
      });
    });
    // Its end makes init our child. The reports may end before that: do_exit() closes files first, then gives children
    // away.
    const parentEnded = once(child, 'exit');
    parentEnded.catch(() => undefined); // it did not start: `spawnFailed`
    for (const fd of new Set([...near, reportWrite])) native.closeFd(fd);
    near.length = 0;
    const initPid = await Promise.race([readReports(reportRead, request.command[0] ?? ''), spawnFailed]);
    await parentEnded;
    return { id: request.id, cgroup, initPid, stdio };
  } catch (error) {
    for (const fd of new Set([...near, ...far])) native.closeFd(fd);
    await destroyCgroup(cgroup);
    removeInitDirectory(request.id);
    throw error;
  }
}

/** struct init_report, native/init/init.h: pid, step, error, each int32. The pipe ends when the program runs. */
async function readReports(fd: number, command: string): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream('', { fd, autoClose: true })) chunks.push(chunk as Buffer);
  const reports = Buffer.concat(chunks);
  let pid = 0;
  for (let at = 0; at + 12 <= reports.length; at += 12) {
    const [reported, step, error] = [reports.readInt32LE(at), reports.readInt32LE(at + 4), reports.readInt32LE(at + 8)];
    if (step !== 0) throw startFailure(command, step, error);
    pid = reported;
  }
  if (pid <= 0)
    throw new MigrunError('E_INIT', 'migrun-init ended without a word', { hint: 'run tools/setup to build it again' });
  return pid;
}

function startFailure(command: string, step: number, error: number): MigrunError {
  const name = Object.entries(constants.errno).find(([, value]) => value === error)?.[0] ?? `errno ${error}`;
  if (STEPS[step] === 'execute the command') {
    return new MigrunError('E_EXEC', `cannot execute ${command}: ${name}`, {
      hint: name === 'ENOENT' ? 'is it on the PATH, or spelled with its folder?' : 'is it executable?',
    });
  }
  return new MigrunError('E_INIT', `migrun-init could not ${STEPS[step] ?? 'start'}: ${name}`, {
    hint: 'run migrun check',
  });
}

/** The pid that a process has in its own namespace: the last one of NSpid. */
export function innerPid(pid: number): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^NSpid:\s*(.*)$/m)?.[1] ?? '';
  return Number(line.trim().split(/\s+/).pop());
}

/** The processes of a cgroup: the pid that each has here, and the one in its own namespace. */
export function innerPids(cgroup: string): Map<number, number> {
  return new Map(pidsOf(cgroup).map((pid) => [pid, innerPid(pid)]));
}

/**
 * Stops the program as a whole. Its shim is told, and hides what a freeze lets show (preload/freeze/attempt.h). Throws
 * ETIMEDOUT where it does not stand still by then; it runs on.
 */
export function freezeProgram(cgroup: string, registry: Registry | undefined, timeoutMs: number): void {
  registry?.beginFreeze();
  try {
    native.cgroupFreeze(cgroup, timeoutMs);
  } catch (error) {
    registry?.endFreeze();
    throw error;
  }
  if (registry?.hasTimeouts() === true) restartCalls(cgroup, registry, timeoutMs);
}

/** Restarts the calls that the shim does not see. */
function restartCalls(cgroup: string, registry: Registry, timeoutMs: number): void {
  try {
    if (native.restartCalls(pidsOf(cgroup)) > 0) native.cgroupFreeze(cgroup, timeoutMs);
  } catch (error) {
    thawProgram(cgroup, registry);
    throw error;
  }
}

export function thawProgram(cgroup: string, registry: Registry | undefined): void {
  registry?.endFreeze();
  native.cgroupThaw(cgroup);
}
