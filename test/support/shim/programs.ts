import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const repository = join(__dirname, '..', '..', '..');
export const shim = join(repository, 'build', 'Release', 'libmigrun.so');

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The C programs of test/shim/programs, compiled into a folder of their own. */
export class Programs {
  private readonly folder = mkdtempSync(join(tmpdir(), 'migrun-shim-'));

  constructor(names: readonly string[]) {
    for (const name of names) {
      const flags = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Wshadow', '-Werror', '-pthread'];
      const source = join(repository, 'test', 'shim', 'programs', `${name}.c`);
      execFileSync('cc', [...flags, source, '-o', this.path(name), '-lutil']);
    }
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  run(name: string, parameters: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Run> {
    const options = { env: { ...process.env, ...environment }, timeout: 50_000 };
    return new Promise((resolve) => {
      execFile(this.path(name), parameters, options, (error, stdout, stderr) => {
        const status = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        resolve({ status, stdout, stderr });
      });
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
