/** One test case per program of this folder: a statement about the kernel, or about criu, that migrun relies on. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { skip } from '../support/skip';

const HARNESS = join(__dirname, 'harness');
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Wshadow', '-Werror', '-D_GNU_SOURCE'];
const MISSING = 77;
/** A program ends itself after 40 seconds for each address family. */
const TIMEOUT_MS = 100_000;

const sourcesIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.c')).sort();
const statementOf = (program: string): string =>
  readFileSync(join(__dirname, program), 'utf8').split('\n', 1)[0]!.replace('/* ', '');

const programs = sourcesIn(__dirname);
let folder: string;
let objects: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-kernel-build-'));
  objects = sourcesIn(HARNESS).map((source) => {
    const object = join(folder, `${source}.o`);
    execFileSync('cc', [...FLAGS, '-c', join(HARNESS, source), '-o', object]);
    return object;
  });
}, TIMEOUT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(programs.map((program) => [statementOf(program), program]))('%s', (_statement, program) => {
  const executable = join(folder, basename(program, '.c'));
  execFileSync('cc', [...FLAGS, join(__dirname, program), ...objects, '-o', executable]);
  const { status, signal, stdout, stderr } = spawnSync(executable, {
    cwd: folder,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  const seen = `${program}: ${stdout.trim()}${stderr && `\n${stderr.trim()}`}`;
  if (status === MISSING) skip(stdout.trim());
  if (status !== 0) throw new Error(`${seen} (${signal ?? `exit code ${status}`})`);
}, TIMEOUT_MS);

test('README.md has each program, with its statement', () => {
  const readme = readFileSync(join(__dirname, 'README.md'), 'utf8');
  const absent = programs.filter((program) => !readme.includes(`| ${statementOf(program)} | \`${program}\` |`));
  expect(absent).toEqual([]);
});
