import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repo } from './repo';

const CASES = `
import { skip } from ${JSON.stringify(join(__dirname, 'skip'))};
test('runs', () => undefined);
test('cannot be tried', () => skip('no such device'));
test('fails', () => { throw new Error('wrong'); });
`;

interface Results {
  readonly testResults: { assertionResults: { title: string; status: string }[] }[];
}

/** What jest says of CASES, where it runs with this variable. */
function statuses(all: string): Record<string, string> {
  const folder = mkdtempSync(join(__dirname, 'skip-'));
  try {
    writeFileSync(join(folder, 'cases.test.ts'), CASES);
    const args = ['--json', '--runTestsByPath', join(folder, 'cases.test.ts')];
    const { stdout } = spawnSync(join(repo, 'node_modules/.bin/jest'), args, {
      cwd: repo,
      encoding: 'utf8',
      env: { ...process.env, MIGRUN_TEST_ALL: all },
    });
    const { testResults } = JSON.parse(stdout) as Results;
    return Object.fromEntries(testResults[0]!.assertionResults.map(({ title, status }) => [title, status]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a test that cannot be tried is shown as skipped, with the reason', () => {
  expect(statuses('')).toEqual({ runs: 'passed', 'cannot be tried (no such device)': 'pending', fails: 'failed' });
});

test('with MIGRUN_TEST_ALL it fails', () => {
  expect(statuses('1')).toEqual({ runs: 'passed', 'cannot be tried': 'failed', fails: 'failed' });
});
