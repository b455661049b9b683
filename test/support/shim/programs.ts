import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { compile } from '../compile';
import { repo } from '../repo';

export const shim = join(repo, 'build', 'Release', 'libmigrun.so');

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** C programs of test/shim/programs, compiled into folders of their own. */
export class Programs {
  private readonly compiled: Map<string, ReturnType<typeof compile>>;

  constructor(names: readonly string[]) {
    this.compiled = new Map(names.map((name) => [name, compile([`test/shim/programs/${name}.c`], ['-Wshadow'])]));
  }

  path(name: string): string {
    return this.compiled.get(name)!.path;
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
    for (const { remove } of this.compiled.values()) remove();
  }
}
