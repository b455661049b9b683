import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, lab, must, run, startAndSee, temporary } from '../support/tools/shell.js';

const one = `tst${process.pid}a`;
const two = `tst${process.pid}b`;
const base = process.env['MIGRUN_LAB_DIR'] ?? '/var/lib/migrun/lab';

const on = (
  prefix: string,
  host: string,
  ...command: string[]
): string[] => ['exec', '--prefix', prefix, host, '--', ...command];

/** What a lab could leave behind that the root namespace can see. */
const traces = (prefix: string): string[] =>
  [
    ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n'),
    ...must('ip', ['-o', 'link']).split('\n'),
    ...must('ip', ['netns']).split('\n'),
    ...(existsSync(join(base, prefix)) ? [join(base, prefix)] : []),
  ].filter((line) => line.includes(prefix));

const processes = (prefix: string, host: string): string | undefined =>
  must(lab, ['list']).split('\n').find((line) => line.startsWith(`${prefix} ${host} `))?.split(' ').pop();

afterAll(() => {
  must(lab, ['down', '--prefix', one]);
  must(lab, ['down', '--prefix', two]);
});

describe('a lab', () => {
  beforeAll(() => must(lab, ['up', '--prefix', one]));

  test('says that it is up already, and refuses another number of hosts', () => {
    expect(must(lab, ['up', '--prefix', one])).toMatch(/already up: hostA hostB hostC/);
    expect(run(lab, ['up', '--prefix', one, '--hosts', '2']).status).toBe(1);
  });

  test("passes the command's status, output and working directory on", () => {
    const result = run(lab, on(one, 'hostA', 'sh', '-c', 'echo out; echo err >&2; pwd; exit 37'));
    expect(result).toMatchObject({ status: 37, stdout: `out\n${process.cwd()}\n`, stderr: 'err\n' });
  });

  test('tells its own failures by status 125', () => {
    expect(run(lab, on(one, 'hostX', 'true')).status).toBe(125);
    expect(run(lab, on(`${one}no`, 'hostA', 'true')).status).toBe(125);
    expect(run(lab, ['exec', '--prefix', one, 'hostA']).status).toBe(125);
  });

  test("gives the command the lab's own process id, so that signals reach it", async () => {
    const { child, seen } = await startAndSee('pid', lab, on(one, 'hostA', 'sh', '-c', 'echo pid $$; exec sleep 600'));
    expect(seen).toBe(`pid ${child.pid}\n`);
    child.kill('SIGINT');
    expect(await ended(child)).toEqual({ status: null, signal: 'SIGINT' });
  });

  test('has names and addresses of both families', () => {
    for (const [host, last] of [['hostA', 1], ['hostC', 3]] as const) {
      expect(must(lab, on(one, 'hostB', 'getent', 'ahostsv4', host))).toContain(`10.77.0.${last} `);
      expect(must(lab, on(one, 'hostB', 'getent', 'ahostsv6', host))).toContain(`fd77::${last} `);
    }
    expect(must(lab, on(one, 'hostB', 'hostname')).trim()).toBe('hostB');
  });

  test.each(['0.0.0.0', '::'])('connects its hosts (listening on %s)', async (address) => {
    const { child: server } = await startAndSee(
      'listening',
      lab,
      on(one, 'hostA', 'count_server', '-a', address, '4884', '1000', '50'),
    );
    const target = address === '::' ? 'fd77::1' : '10.77.0.1';
    expect(must(lab, on(one, 'hostC', 'count_client', target, '4884', '50')).split('\n')).toHaveLength(51);
    expect(await ended(server)).toMatchObject({ status: 0 });
  });

  test('gives each host a state folder and a /run of its own, and shows cgroups', () => {
    const folders = ['hostA', 'hostB'].map((host) =>
      must(lab, on(one, host, 'sh', '-c', 'echo $MIGRUN_STATE_DIR; test -d $MIGRUN_STATE_DIR'))
    );
    expect(folders[0]).not.toBe(folders[1]);
    must(lab, on(one, 'hostA', 'touch', '/run/mark'));
    expect(run(lab, on(one, 'hostB', 'test', '-e', '/run/mark')).status).toBe(1);
    expect(must(lab, on(one, 'hostA', 'stat', '-f', '-c', '%T', '/run')).trim()).toBe('tmpfs');
    expect(must(lab, on(one, 'hostA', 'findmnt', '-rno', 'TARGET', '-t', 'cgroup2'))).not.toBe('');
    expect(must(lab, on(one, 'hostA', 'sh', '-c', 'command -v migrun'))).toContain(one);
  });

  test('lives beside another with the same addresses, and its end does not touch that one', async () => {
    must(lab, ['up', '--prefix', two, '--hosts', '1']);
    const { child: here } = await startAndSee('0', lab, on(one, 'hostA', 'ticker'));
    const { child: there } = await startAndSee('0', lab, on(two, 'hostA', 'ticker'));
    expect(processes(two, 'hostA')).toBe('1');
    must(lab, ['down', '--prefix', two]);
    expect(await ended(there)).toEqual({ status: null, signal: 'SIGTERM' });
    expect(traces(two)).toEqual([]);
    expect(processes(one, 'hostA')).toBe('1');
    here.kill('SIGTERM');
    await ended(here);
  });
});

describe('the end of a lab', () => {
  test('reaches processes that ignore SIGTERM, and leaves nothing', async () => {
    must(lab, ['up', '--prefix', two, '--hosts', '1']);
    const { child: stubborn } = await startAndSee(
      'ready',
      lab,
      on(two, 'hostA', 'sh', '-c', "trap '' TERM; echo ready; while :; do sleep 600; done"),
    );
    must(lab, ['down', '--prefix', two]);
    expect(await ended(stubborn)).toEqual({ status: null, signal: 'SIGKILL' });
    expect(traces(two)).toEqual([]);
  });

  test('removes the cgroup of a frozen program that nobody supervises any more', async () => {
    must(lab, ['up', '--prefix', two, '--hosts', '1']);
    const unified = must('findmnt', ['-rno', 'TARGET', '-t', 'cgroup2']).split('\n')[0] ?? '';
    const cgroup = join(unified, 'migrun', two);
    must('mkdir', ['-p', cgroup]);
    const { child: frozen } = await startAndSee(
      '0',
      lab,
      on(two, 'hostA', 'sh', '-c', `echo $$ >${cgroup}/cgroup.procs; exec ticker`),
    );
    writeFileSync(join(cgroup, 'cgroup.freeze'), '1');
    must(lab, ['down', '--prefix', two]);
    expect(await ended(frozen)).toMatchObject({ status: null });
    expect(existsSync(cgroup)).toBe(false);
  });

  test('may come twice, and without a lab', () => {
    expect(must(lab, ['down', '--prefix', two])).toMatch(/no lab/);
    expect(must(lab, ['down', '--prefix', two])).toMatch(/no lab/);
  });

  test('comes by itself where up fails half-way', () => {
    const folder = temporary();
    // An ip that fails at the second host's address.
    const ip = must('sh', ['-c', 'command -v ip']).trim();
    writeFileSync(join(folder, 'ip'), `#!/bin/sh\ncase "$*" in *10.77.0.2/24*) exit 9 ;; esac\nexec ${ip} "$@"\n`);
    chmodSync(join(folder, 'ip'), 0o755);
    const result = run(lab, ['up', '--prefix', two], { PATH: `${folder}:${process.env['PATH']}` });
    rmSync(folder, { recursive: true });
    expect(result.status).not.toBe(0);
    expect(traces(two)).toEqual([]);
  });
});
