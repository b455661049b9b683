import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoot } from '../../src/config.js';
import { repo } from '../support/repo';
import { ended, run, startAndSee, temporary } from '../support/tools/shell';

const bench = join(repo, 'tools/bench');
// Labs of our own: other benchmarks may run on this machine.
const base = temporary();
const env = { MIGRUN_LAB_DIR: base };
afterAll(() => rmSync(base, { recursive: true, force: true }));

const labs = (): string[] => (existsSync(base) ? readdirSync(base).filter((name) => name.startsWith('bench-')) : []);
const cgroups = (pid: number): string[] => (existsSync(cgroupRoot())
  ? readdirSync(cgroupRoot()).filter((name) => name.startsWith(`bench-${pid}-`))
  : []);

describe('the benchmark', () => {
  test('measures each part, in one run, and leaves nothing behind', () => {
    const folder = temporary();
    const { status, stdout, stderr, pid } = run(bench, ['--quick', '--json', join(folder, 'all.json')], env);
    expect({ status, stderr: stderr.replace(/^bench: \w+, 1 run$/gm, '').trim() }).toEqual({ status: 0, stderr: '' });
    const all = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8'));
    rmSync(folder, { recursive: true });
    expect(all.sockets).toHaveLength(3);
    expect(all.blackout).toHaveLength(2);
    for (const [part, rows] of [['echo', 6], ['bulk', 6], ['afterMove', 12]] as const) {
      expect(all[part].map(({ what }: { what: string }) => what)).toHaveLength(rows);
      for (const { ours, theirs, ratios } of all[part])
        for (const value of [ours.median, theirs.median, ratios.low, ratios.high])
          expect(value).toBeGreaterThan(0);
    }
    expect(all.scale.counts).toEqual([1, 10, 100]);
    for (const { measured, line } of all.scale.quantities)
      for (const value of [measured[0].median, line.off]) expect(value).toBeGreaterThan(0);
    expect(all.table61.values.ours.suspend.length).toBeGreaterThanOrEqual(10);
    expect(all.paths.sizes.map(({ bytes }: { bytes: number }) => bytes)).toEqual([200, 400, 800]);
    expect(all.rules.kinds).toHaveLength(6);
    expect(all.breakEven).toHaveLength(3);
    expect(stdout).toContain('netfilter, three chains of type filter');
    expect(labs()).toEqual([]);
    expect(cgroups(pid)).toEqual([]);
  }, 600_000);

  test.each(
    [
      ['table61', 'SIGINT', 130],
      ['paths', 'SIGTERM', 143],
    ] as const,
  )('leaves nothing behind where it is interrupted in %s', async (part, signal, status) => {
    const { child } = await startAndSee(`bench: ${part}`, bench, ['--quick', '--only', part], env);
    expect(labs()).toHaveLength(1);
    child.kill(signal);
    expect(await ended(child)).toMatchObject({ status });
    expect(labs()).toEqual([]);
    expect(cgroups(child.pid ?? 0)).toEqual([]);
  });
});
