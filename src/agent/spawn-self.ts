/** One process of migrun starts another one, which outlives it, and waits until that one says that it is ready. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MigrunError } from '../errors';

const MAIN = join(__dirname, '..', 'cli', 'main.js');
/** Room for young objects: a collection takes some milliseconds, and a program may be standing still. */
const V8_OPTIONS = ['--min-semi-space-size=16', '--max-semi-space-size=32'];
/** The new process finds in this variable the descriptor on which it is to say "ready". */
const READY_VARIABLE = 'MIGRUN_READY_FD';
const READY_FD = 3;

/** The log of the new process goes to `logFile`. Throws E_START with the last line of that log. */
export async function spawnSelf(args: readonly string[], logFile: string): Promise<number> {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...V8_OPTIONS, MAIN, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', log, 'pipe'],
    env: { ...process.env, [READY_VARIABLE]: String(READY_FD) },
  });
  closeSync(log);
  const ready = child.stdio[READY_FD] as NodeJS.ReadableStream & { destroy(): void };
  const pid = child.pid ?? -1;
  let said = '';
  for await (const chunk of ready) {
    said += String(chunk);
    if (said.includes('\n')) break;
  }
  ready.destroy();
  child.unref();
  if (said.trim() !== 'ready') {
    const last = readFileSync(logFile, 'utf8').trim().split('\n').pop() ?? '';
    throw new MigrunError('E_START', `migrun ${args[0] ?? ''} did not start: ${last}`, { hint: `its log: ${logFile}` });
  }
  return pid;
}

/** Tells whoever started this process with spawnSelf that it is ready. */
export function sayReady(): void {
  const fd = Number(process.env[READY_VARIABLE] ?? -1);
  if (!(fd > 2)) return;
  delete process.env[READY_VARIABLE];
  writeSync(fd, 'ready\n');
  closeSync(fd);
}
