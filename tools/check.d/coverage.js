'use strict';

/**
 * Which lines of src/ the tests reach, as a report and not as a gate: build/coverage/index.html, and a summary at the
 * end. Arguments go to jest ("npm run coverage -- test/program").
 *
 * Most of src/ runs in processes that tests start, from dist/. So each Node.js process writes what it has run when it
 * ends (NODE_V8_COVERAGE), c8 maps that to src/, and it is added to what jest has seen in itself. A process that is
 * killed by SIGKILL writes nothing.
 */

const { spawnSync } = require('node:child_process');
const { readFileSync, rmSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { createCoverageMap } = require('istanbul-lib-coverage');
const { createContext } = require('istanbul-lib-report');
const reports = require('istanbul-reports');

const repo = resolve(__dirname, '../..');
const folder = join(repo, 'build/coverage');
const [raw, jest, processes] = ['raw', 'jest', 'processes'].map((name) => join(folder, name));

/** Returns the command's status; its output goes where ours does. */
function run(command, args, env = {}) {
  const options = { cwd: repo, stdio: 'inherit', env: { ...process.env, ...env } };
  return spawnSync(join(repo, 'node_modules/.bin', command), args, options).status ?? 1;
}

rmSync(folder, { recursive: true, force: true });
const status = run('jest', ['--coverage', '--coverageProvider=v8', '--collectCoverageFrom=src/**/*.ts',
  '--coverageReporters=json', `--coverageDirectory=${jest}`, ...process.argv.slice(2)], { NODE_V8_COVERAGE: raw });
const mapped = run('c8', ['report', '--temp-directory', raw, '--merge-async', '--all', '--include', 'src/**/*.ts',
  '--exclude-after-remap', '--reporter', 'json', '--reports-dir', processes]);
rmSync(raw, { recursive: true });

const coverageMap = createCoverageMap();
for (const part of [jest, processes])
  coverageMap.merge(JSON.parse(readFileSync(join(part, 'coverage-final.json'), 'utf8')));
const context = createContext({ dir: folder, coverageMap });
for (const report of ['html', 'text-summary']) reports.create(report).execute(context);
process.exitCode = status || mapped;
