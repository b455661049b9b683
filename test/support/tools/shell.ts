import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo } from '../repo';

export const lab = join(repo, 'tools/lab');

export function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: 'utf8', cwd: repo, env: { ...process.env, ...env } });
}

/** Runs a command that must end with status 0: all else is an error that shows what was said. */
export function must(command: string, args: string[], env: NodeJS.ProcessEnv = {}): string {
  const result = run(command, args, env);
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: status ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

export function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'migrun-test-'));
}

/** Starts a command and resolves when its output (either stream) has shown a line with `text`. */
export function startAndSee(
  text: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ child: ChildProcess; seen: string }> {
  const child = spawn(command, args, { cwd: repo, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let seen = '';
  return new Promise((found, failed) => {
    const look = (data: Buffer): void => {
      seen += data.toString();
      if (seen.includes(text) && seen.endsWith('\n')) found({ child, seen });
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('exit', (status) => failed(new Error(`${command} ended with ${status} before saying "${text}": ${seen}`)));
  });
}

export function ended(child: ChildProcess): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null)
      done({ status: child.exitCode, signal: child.signalCode });
    else child.once('exit', (status, signal) => done({ status, signal }));
  });
}
