import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoot } from '../../src/config.js';
import { repo } from '../support/repo';
import { ended, run, startAndSee } from '../support/tools/shell';

const demo = join(repo, 'tools/demo');
const base = process.env['MIGRUN_LAB_DIR'] ?? '/var/lib/migrun/lab';

/** The environment of each process of a lab names the lab's folder. */
const isOfLab = (pid: string, prefix: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${join(base, prefix)}/`);
  } catch {
    return false; // not a process, or no longer one
  }
};

/** What is left of a demo that has printed this. */
const traces = (output: string): string[] => {
  const prefix = /\(lab (demo-[0-9a-f]+)\)/.exec(output)?.[1] ?? 'none';
  const programs = [...output.matchAll(/program ([0-9a-f]{8})$/gm)].map(([, id]) => id ?? '');
  return [
    ...readdirSync('/proc').filter((pid) => isOfLab(pid, prefix)),
    ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(prefix)),
    ...(existsSync(join(base, prefix)) ? [prefix] : []),
    ...(existsSync(cgroupRoot()) ? readdirSync(cgroupRoot()) : []).filter((name) =>
      programs.some((id) => name.startsWith(id))
    ),
  ];
};

describe('the demo', () => {
  test('finds all of its claims true, in plain text, and leaves nothing behind', () => {
    const { status, stdout, stderr } = run(demo, []);
    expect(stderr).toBe('');
    expect(stdout).not.toContain('FAILED');
    expect(stdout).not.toContain('\x1b');
    expect(stdout.match(/^ {3}ok /gm)?.length).toBeGreaterThan(25);
    expect(stdout).toMatch(/All of it is true\.\n$/);
    expect(status).toBe(0);
    expect(traces(stdout)).toEqual([]);
  });

  test.each(
    [
      ['while its hosts are made', 'lab demo-', 'SIGINT', 130],
      ['in the middle of a move', 'migrun migrate', 'SIGINT', 130],
      ['after a move', 'no cgroup', 'SIGTERM', 143],
    ] as const,
  )('leaves nothing behind where it is interrupted %s', async (_, text, signal, status) => {
    const { child, seen } = await startAndSee(text, demo, []);
    child.kill(signal);
    expect(await ended(child)).toMatchObject({ status });
    expect(traces(seen)).toEqual([]);
  });
});
