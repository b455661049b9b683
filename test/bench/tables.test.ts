import { paths, rules, scale, table61 } from '../support/bench/results';

type Table = string[][];

interface Tables {
  isMet(result: unknown): string | undefined;
  markdownTable(table: Table): string;
  plainTable(table: Table): string;
  tables(results: unknown[]): Table[];
}

const { isMet, markdownTable, plainTable, tables } = jest.requireActual<Tables>('../../tools/bench.d/table');
const { chapterTables } = jest.requireActual<{ chapterTables(results: unknown): Record<string, Table[]> }>(
  '../../tools/bench.d/chapter6',
);
const { scaleTables } = jest.requireActual<{ scaleTables(result: unknown): Table[] }>(
  '../../tools/bench.d/scale-table',
);

const ours = { median: 10, q1: 9, q3: 11 };

describe('a target', () => {
  const ratio = (median: number, low: number, high: number) => ({
    ours,
    theirs: { what: 'x', median: 10 },
    ratios: { median, low, high },
    target: { ratio: 1.02 },
  });

  test.each([
    ['yes', 1, 0.99, 1.01],
    ['yes', 1.01, 1, 1.02],
    ['open', 1.01, 1, 1.03],
    ['open', 1.03, 1.01, 1.05],
    ['NO', 1.05, 1.03, 1.07],
  ])('is met: %s, for a ratio of %d between %d and %d', (answer, ...numbers) => {
    expect(isMet(ratio(...numbers))).toBe(answer);
  });

  test('without an interval is met or not by the median; without a target there is no answer', () => {
    expect(isMet({ ours, target: { atMost: 10 } })).toBe('yes');
    expect(isMet({ ours, target: { atMost: 9.9 } })).toBe('NO');
    expect(isMet({ ours, theirs: { what: 'x', value: 20 }, target: { ratio: 0.4 } })).toBe('NO');
    expect(isMet({ ours })).toBeUndefined();
  });
});

describe('tables', () => {
  test('have as many cells in each row as in their head', () => {
    const steps = [{
      name: 'an agent',
      wall: { median: 1, low: 0.9, high: 1.1 },
      cpu: { median: 1, low: 0.9, high: 1.1 },
    }];
    const rows = [{
      what: 'echo',
      unit: 'us',
      ours,
      theirs: { what: 'x', ...ours },
      ratios: { median: 1, low: 0.9, high: 1.1 },
      target: { ratio: 1.02 },
      steps,
    }, { what: 'alone', unit: 'ms', ours }];
    const all = [...tables(rows),
      ...Object.values(
        chapterTables({
          table61,
          paths,
          rules,
          breakEven: [{
            what: 'x',
            ms: 3,
            cases: [{ bytes: 200, against: 'netfilter DNAT', packets: 1234.5, fewest: 900, most: Infinity }],
          }],
        }),
      ).flat()];
    all.push(...scaleTables(scale));
    expect(all).toHaveLength(10);
    for (const [head, ...others] of all) {
      expect(others.length).toBeGreaterThan(0);
      for (const cells of others) expect(cells).toHaveLength(head?.length ?? 0);
    }
  });

  test('are only of what was measured', () => {
    expect(tables([])).toEqual([]);
    expect(chapterTables({})).toEqual({});
    expect(scaleTables(undefined)).toEqual([]);
    expect(Object.keys(chapterTables({ rules }))).toEqual(['rules']);
  });

  test('give the line through what grows with the connections, in units that suit one', () => {
    const [times, memory] = scaleTables(scale);
    expect(times?.[2]).toEqual(['freeze to first answer', '50.0', '5050.0', '49.5', '500.0', '2 %']);
    expect(memory?.[1]).toEqual(["source's supervisor", '50.0', '5050.0', '49.5', '512.0', '2 %']);
  });

  test("say the thesis's own numbers beside", () => {
    const [times] = chapterTables({ paths })['paths'] ?? [];
    expect(times?.[1]).toEqual(['200', '1,000', '20.0 (19.0 - 21.0)', '21.0 (20.0 - 22.0)', '22.0 (21.0 - 23.0)',
      '702 / 704']);
  });

  test('say when a migration never pays', () => {
    const line = {
      what: 'x',
      ms: 3,
      cases: [{ bytes: 200, against: 'netfilter DNAT', packets: 1234.5, fewest: 900, most: Infinity }],
    };
    const [table] = chapterTables({ breakEven: [line] })['breakeven'] ?? [];
    expect(table?.[1]).toEqual(['x', '3.00', '1,230 [900, never]']);
    expect(table?.[2]?.at(-1)).toBe('2,470');
  });

  test('are written for a terminal and as Markdown', () => {
    const table = [['a', 'long head'], ['longer', 'b']];
    expect(plainTable(table)).toBe('a       long head\nlonger  b');
    expect(markdownTable(table)).toBe('| a | long head |\n| --- | --- |\n| longer | b |');
  });
});
