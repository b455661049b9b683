import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo } from './repo';

const native = join(repo, 'native');

/** The files of a source that is named by its path, or all of a room (native/tcp/). */
function filesOf(source: string): string[] {
  if (!source.endsWith('/')) return [join(repo, source)];
  return readdirSync(join(repo, source)).filter((name) => name.endsWith('.c')).map((name) => join(repo, source, name));
}

/** A C program of the tests made ready in a folder of its own; remove() takes both away. */
export function compile(sources: readonly string[], flags: readonly string[] = []): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'mgn_'));
  const path = join(folder, 'program');
  const remove = () => rmSync(folder, { recursive: true });
  const fixed = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wshadow', '-Werror', '-g', '-O1', '-pthread',
    `-I${native}`];
  const files = sources.flatMap(filesOf);
  try {
    execFileSync('cc', [...fixed, ...flags, '-o', path, ...files], { stdio: 'inherit' });
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}
