import { chmodSync, mkdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repo } from '../support/repo';
import { run, temporary } from '../support/tools/shell.js';

const setup = join(repo, 'tools/setup');
const probe = join(repo, 'tools/probe-criu');
const chosen = join(process.env['MIGRUN_CRIU_DIR'] ?? '/var/lib/migrun/criu', 'criu');

describe('setup on a checkout that is ready', () => {
  test('says nothing, and changes nothing', () => {
    const stamps = ['node_modules/.migrun-stamp', 'build/.native-stamp', 'dist/.stamp', 'build/Release/migrun.node',
      'build/fixtures/count_server'];
    const times = (): number[] => stamps.map((stamp) => statSync(join(repo, stamp)).mtimeMs);
    expect(run(setup, []).status).toBe(0);
    const before = times();
    expect(run(setup, [])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(times()).toEqual(before);
  });

  test('needs no network', () => {
    expect(run('unshare', ['--net', setup])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});

describe('the choice of a CRIU', () => {
  const folder = temporary();
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A system's criu, in front of the PATH. */
  const system = (name: string, body: string): { MIGRUN_CRIU_DIR: string; PATH: string; criu: string } => {
    const bin = join(folder, name, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'criu'), body);
    chmodSync(join(bin, 'criu'), 0o755);
    return {
      MIGRUN_CRIU_DIR: join(folder, name, 'chosen'),
      PATH: `${bin}:${process.env['PATH']}`,
      criu: join(bin, 'criu'),
    };
  };

  test('takes one of the system that works, and remembers that', () => {
    const { criu, ...env } = system('good', `#!/bin/sh\nexec ${chosen} "$@"\n`);
    const first = run(setup, [], env);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toMatch(/probing .*\n.*using /);
    expect(readlinkSync(join(env.MIGRUN_CRIU_DIR, 'criu'))).toBe(criu);
    expect(run(setup, [], env)).toMatchObject({ status: 0, stdout: '' });
  });

  test('rejects one that cannot restore, with the reason', () => {
    const { criu, ...env } = system(
      'bad',
      `#!/bin/sh\ntest "$1" = dump && exec ${chosen} "$@"\necho no such luck >&2\nexit 1\n`,
    );
    const result = run(probe, [criu], env);
    expect(result).toMatchObject({ status: 1, stderr: 'restore fails: no such luck\n' });
  });

  test('leaves no cgroup behind, also where the probe fails', () => {
    run(probe, ['/bin/false']);
    expect(run(probe, [chosen]).status).toBe(0);
    const unified = run('findmnt', ['-rno', 'TARGET', '-t', 'cgroup2']).stdout.split('\n')[0] ?? '';
    expect(run('find', [unified, '-maxdepth', '1', '-name', 'migrun-probe-*']).stdout).toBe('');
  });

  test('is a command that starts', () => {
    expect(run(chosen, ['--version']).stdout).toMatch(/^Version: \d/);
    expect(readFileSync(chosen).length).toBeGreaterThan(0);
  });
});
