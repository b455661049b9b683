/** Starts another process of migrun that outlives this one, and waits until it says that it is ready. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MigrunError } from '../errors';

const MAIN = join(__dirname, '..', 'cli', 'main.js');
/** Room for young objects: a collection in the middle of a pause takes some milliseconds of it. */
const V8_OPTIONS = ['--min-semi-space-size=16', '--max-semi-space-size=32'];
/** The descriptor on which the process says "ready" (cli/ready.ts). */
const READY_FD = 3;

/** Its log goes to `logFile`. Throws E_START with the last line of that log. */
export async function spawnSelf(args: readonly string[], logFile: string): Promise<number> {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...V8_OPTIONS, MAIN, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', log, 'pipe'],
    env: { ...process.env, MIGRUN_READY_FD: String(READY_FD) },
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
