/** The command line as its user has it, with folders of its own. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const MAIN = join(__dirname, '..', '..', '..', 'dist', 'cli', 'main.js');

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'migrun-cli-'));
  readonly run = join(this.folder, 'run');
  readonly state = join(this.folder, 'state');

  constructor() {
    chmodSync(this.folder, 0o755);
  }

  /** Without input. `prefix` is a command that becomes migrun. */
  migrun(
    args: readonly string[],
    options: { prefix?: readonly string[]; env?: NodeJS.ProcessEnv; input?: string } = {},
  ): Promise<Result> {
    const [command, ...rest] = [...(options.prefix ?? []), process.execPath, MAIN, ...args] as [string, ...string[]];
    const env = { ...process.env, MIGRUN_RUN_DIR: this.run, MIGRUN_STATE_DIR: this.state, ...options.env };
    const child = spawn(command, rest, { env, stdio: 'pipe' });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (data) => (said[name] += String(data)));
    child.stdin.on('error', () => undefined); // a command that reads no input
    child.stdin.end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, ...said }));
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
