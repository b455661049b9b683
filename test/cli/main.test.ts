import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../../src/version';
import { MAIN, Place } from '../support/cli/place';

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.remove());

describe('help', () => {
  test.each([[['--help']], [['-h']], [['help']]])('%j shows the commands and examples', async (args) => {
    const { status, stdout, stderr } = await place.migrun(args);
    expect(status).toBe(0);
    for (const command of ['run', 'ls', 'inspect', 'migrate', 'check', 'agent', 'keygen'])
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toContain('migrun migrate 1a2b3c4d --to hostB');
    expect(stdout).not.toContain('supervise');
    expect(stderr).toBe('');
  });

  test('of a command shows its arguments and options', async () => {
    for (const args of [['migrate', '--help'], ['help', 'migrate']]) {
      const { status, stdout } = await place.migrun(args);
      expect(status).toBe(0);
      for (const word of ['<id>', '--to <host>', '--port <port>', '--json']) expect(stdout).toContain(word);
    }
  });

  test('without a word is shown too, and is a wrong use', async () => {
    const { status, stdout, stderr } = await place.migrun([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('Usage: migrun');
  });

  test("the version is the package's", async () => {
    expect(await place.migrun(['--version'])).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
  });
});

describe('a wrong use', () => {
  test.each([
    [['frobnicate'], /unknown command 'frobnicate'; see: migrun --help/],
    [['migrat'], /unknown command 'migrat' \(Did you mean migrate\?\); see: migrun --help/],
    [['ls', '--frob'], /unknown option '--frob'; see: migrun ls --help/],
    [['inspect'], /missing required argument 'id'; see: migrun inspect --help/],
    [['migrate', '1a2b3c4d'], /required option '--to <host>' not specified; see: migrun migrate --help/],
    [['migrate', '1a2b3c4d', '--to', 'b', '--port', '65536'], /'65536' is invalid.*; see: migrun migrate --help/],
    [['agent', 'too', 'many'], /too many arguments for 'agent'.*; see: migrun agent --help/],
    [['run'], /missing required argument 'command'; see: migrun run --help/],
    [['--'], /missing required argument 'command'; see: migrun run --help/],
    [['supervise', '../x'], /not a program's id.*; see: migrun supervise --help/],
  ])('%j is status 2 and one line that says what to do', async (args, line) => {
    const { status, stdout, stderr } = await place.migrun(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^migrun: E_USAGE: [^\n]*\n$/);
    expect(stderr).toMatch(line);
  });

  test('with --json is JSON', async () => {
    const { status, stderr } = await place.migrun(['migrate', '--json']);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'E_USAGE',
        message: expect.stringContaining('--to') as string,
        hint: expect.stringContaining('migrun migrate --help') as string,
      },
    });
  });

  test('of the environment is one too', async () => {
    const { status, stderr } = await place.migrun(['ls'], { env: { MIGRUN_PORT: 'http' } });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^migrun: E_USAGE: MIGRUN_PORT is "http", not a port; [^\n]*\n$/);
  });
});

describe('errors', () => {
  test('are one line with their code', async () => {
    expect(await place.migrun(['ls'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'migrun: E_NOT_RUNNING: no agent runs on this host; start it: migrun agent\n',
    });
  });

  test('with --json are one object', async () => {
    const { status, stdout, stderr } = await place.migrun(['inspect', '1a2b3c4d', '--json']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'E_NOT_RUNNING', message: 'no agent runs on this host', hint: 'start it: migrun agent' },
    });
  });

  test('whoever stops reading is none', () => {
    const { stderr } = spawnSync('sh', ['-c', '"$0" "$1" --help | true', process.execPath, MAIN], { encoding: 'utf8' });
    expect(stderr).toBe('');
  });
});

describe('without root', () => {
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

  test.each([[['ls']], [['check']], [['keygen']], [['agent']], [['migrate', '1a2b3c4d', '--to', 'b']], [['--', 'true']],
    [['--', 'true', '--help']]])('%j says so', async (args) => {
      const { status, stdout, stderr } = await place.migrun(args, { prefix });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toBe('migrun: E_ROOT: migrun needs root; run it with sudo\n');
    });

  test('help is for everybody, and so is what a wrong use is told', async () => {
    expect(await place.migrun(['migrate', '--help'], { prefix })).toMatchObject({ status: 0, stderr: '' });
    expect(await place.migrun(['--version'], { prefix })).toMatchObject({ status: 0, stderr: '' });
    expect((await place.migrun(['frobnicate'], { prefix })).stderr).toContain('E_USAGE');
  });
});

describe('keygen', () => {
  test('makes a key that only root can read, and never writes over one', async () => {
    const path = join(place.state, 'cluster.key');
    expect(await place.migrun(['keygen'])).toEqual({ status: 0, stdout: `${path}\n`, stderr: '' });
    const key = readFileSync(path, 'utf8');
    expect(key).toMatch(/^[0-9a-f]{64}\n$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(place.state).mode & 0o777).toBe(0o700);

    const { status, stderr } = await place.migrun(['keygen']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^migrun: E_KEY_FILE: [^\n]*exists already[^\n]*\n$/);
    expect(readFileSync(path, 'utf8')).toBe(key);
  });

  test('puts it where MIGRUN_KEY_FILE says', async () => {
    const path = join(place.folder, 'elsewhere', 'key');
    expect(await place.migrun(['keygen'], { env: { MIGRUN_KEY_FILE: path } })).toMatchObject({
      status: 0,
      stdout: `${path}\n`,
    });
    expect(existsSync(path)).toBe(true);
  });
});

describe('check', () => {
  test('prints a table of what this host has', async () => {
    const { status, stdout, stderr } = await place.migrun(['check']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')[0]).toMatch(/^ +WHAT +IS +TO DO$/);
    for (const what of ['kernel', 'cgroup v2', 'TCP repair, eBPF', 'raw sockets', 'shim and init', 'CRIU'])
      expect(stdout).toMatch(new RegExp(`^ok +${what}`, 'm'));
    expect(stdout).toMatch(/^note +agent/m);
    expect(stdout).not.toMatch(/ \n/);
  });

  test('with --json says the same to a script', async () => {
    const { status, stdout } = await place.migrun(['check', '--json']);
    expect(status).toBe(0);
    const findings = JSON.parse(stdout) as { state: string; what: string }[];
    expect(findings.find(({ what }) => what === 'CRIU')).toEqual({
      state: 'ok',
      what: 'CRIU',
      is: expect.stringMatching(/^\d+\.\d+/) as string,
    });
  });

  test('without CRIU fails, and says what to do', async () => {
    const { status, stdout } = await place.migrun(['check'], { env: { MIGRUN_CRIU: '/nowhere/criu' } });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^MISSING +CRIU +there is no CRIU at \/nowhere\/criu +run tools\/setup/m);
  });

  test('a CRIU that does not work is missing too', async () => {
    mkdirSync(place.run, { recursive: true });
    const fake = join(place.folder, 'criu');
    writeFileSync(fake, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const { status, stdout } = await place.migrun(['check', '--json'], { env: { MIGRUN_CRIU: fake } });
    expect(status).toBe(1);
    expect((JSON.parse(stdout) as { what: string }[]).find(({ what }) => what === 'CRIU')).toMatchObject({
      state: 'missing',
    });
  });
});
