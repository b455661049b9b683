import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { paths, rules, table61 } from '../support/bench/results';
import { repo } from '../support/repo';
import { run } from '../support/tools/shell';

interface Figure {
  readonly data: { values: Record<string, string | number>[] };
  readonly spec: { encoding: { x: { axis: { values: number[] }; scale: { domain: number[] } } } };
}

const { figures } = jest.requireActual<{ figures(results: unknown): Record<string, Figure> }>(
  '../../tools/bench.d/plots',
);

const valuesOf = (name: string): Record<string, string | number>[] =>
  figures({ table61, paths, rules })[name]?.data.values ?? [];

describe('the figures', () => {
  test('are those of what was measured', () => {
    expect(Object.keys(figures({ table61, paths, rules }))).toEqual(['suspend-resume', 'echo-times', 'echo-costs',
      'rules-nat', 'rules-three-chains']);
    expect(Object.keys(figures({ paths }))).toEqual(['echo-times', 'echo-costs']);
  });

  test('have each measured point once', () => {
    expect(valuesOf('echo-times')).toHaveLength(2 * 3 * 2);
    expect(valuesOf('echo-times')).toContainEqual({
      bytes: '200 bytes',
      path: 'migrun, moved',
      packets: 10_000,
      ms: 210,
    });
    expect(valuesOf('echo-costs')).toContainEqual({
      bytes: '800 bytes',
      path: 'netfilter DNAT',
      median: 2,
      low: 1.5,
      high: 2.5,
    });
    expect(valuesOf('rules-nat').map(({ path }) => path)).toEqual(
      ['by port', 'by port', 'that match', 'that match'].map((name) => `netfilter, ${name}`).concat(['migrun, moved',
        'migrun, moved', 'plain', 'plain']),
    );
  });

  test('have the spread of many trials in few points, from the fastest to the slowest', () => {
    const path = 'migrun, with the peer';
    const trials = valuesOf('suspend-resume');
    expect(trials).toHaveLength(2 * (51 + 51 + 1));
    expect(trials).toContainEqual({ half: 'revive and resume', path, ms: 0.25, share: 0 });
    expect(trials).toContainEqual({ half: 'revive and resume', path, ms: 2, share: 1 });
  });

  test('have a logarithmic axis no longer than what it has to hold', () => {
    const { axis, scale } = figures({ table61 })['suspend-resume']!.spec.encoding.x;
    expect(axis.values).toEqual([0.2, 0.5, 1, 2, 5, 10, 20, 50]);
    expect(scale.domain).toEqual([0.2, 50]);
  });

  test('are drawn as SVG, without a warning', () => {
    const script =
      'const { draw } = require(process.argv[1]); draw(JSON.parse(process.argv[2])).then((svg) => process.stdout.write(svg));';
    for (const [name, figure] of Object.entries(figures({ table61, paths, rules }))) {
      const { stdout, stderr, status } = run(process.execPath, ['-e', script, join(repo, 'tools/bench.d/plots.js'),
        JSON.stringify(figure)]);
      expect({ name, stderr, status }).toEqual({ name, stderr: '', status: 0 });
      expect(stdout).toMatch(/^<svg [^]*<\/svg>$/);
      expect(stdout).not.toContain('NaN');
    }
  });

  test('in docs/ are those of the results beside them, and small', () => {
    const folder = join(repo, 'docs/chapter6');
    const results: unknown = JSON.parse(readFileSync(`${folder}.json`, 'utf8'));
    expect(readdirSync(folder).sort()).toEqual(Object.keys(figures(results)).map((name) => `${name}.svg`).sort());
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(50_000);
  });
});
