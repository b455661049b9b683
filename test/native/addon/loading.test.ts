import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const repo = resolve(__dirname, '../../..');

/** The command line as it is where the native part was not built. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-test-'));
  cpSync(join(repo, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(repo, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(repo, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const main = (): string => join(folder, 'dist/cli/main.js');

test('without the addon, what does not need it works', () => {
  expect(execFileSync(process.execPath, [main(), '--help'], { encoding: 'utf8' })).toContain('Usage: migrun');
});

test('what needs it says so in one line', () => {
  const { status, stderr } = spawnSync(process.execPath, [main(), 'agent'], {
    encoding: 'utf8',
    env: { ...process.env, MIGRUN_RUN_DIR: join(folder, 'run'), MIGRUN_STATE_DIR: join(folder, 'state') },
  });
  expect(stderr.trim().split('\n').at(-1)).toMatch(/^migrun: E_NO_ADDON: .*tools\/setup/);
  expect(status).toBe(1);
});
