import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo } from './repo';

const native = join(repo, 'native');

/** A C program of the tests made ready in a folder of its own; remove() takes both away. */
export function compile(sources: readonly string[], flags: readonly string[] = []): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'mgn_'));
  const path = join(folder, 'program');
  const remove = () => rmSync(folder, { recursive: true });
  const fixed = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-g', '-O1', '-pthread', `-I${native}`];
  const files = sources.map((source) => join(repo, source));
  try {
    execFileSync('cc', [...fixed, ...flags, '-o', path, ...files], { stdio: 'inherit' });
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}
