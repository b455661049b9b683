interface Even {
  readonly packets: number;
  readonly fewest: number;
  readonly most: number;
}

interface BreakEven {
  readonly THESIS: { costMs: number; savedUs: number };
  breakEven(results: unknown):
    | { what: string; ms: number; cases: ({ bytes: number; against: string } & Even)[] }[]
    | undefined;
  evenAfter(costMs: number, saved: { median: number; low: number; high: number }): Even;
  packetsUntilEven(costMs: number, savedUs: number): number;
}

const { THESIS, breakEven, evenAfter, packetsUntilEven } = jest.requireActual<BreakEven>(
  '../../tools/bench.d/breakeven',
);

describe('the number of packets after which a migration has paid for itself', () => {
  test("is the thesis's with the thesis's numbers", () => {
    expect(Math.round(packetsUntilEven(THESIS.costMs, THESIS.savedUs) / 100) * 100).toBe(2500);
  });

  test('is never where a packet saves nothing', () => {
    expect(packetsUntilEven(1, 0)).toBe(Infinity);
    expect(packetsUntilEven(1, -0.5)).toBe(Infinity);
  });

  test('is fewest where most is saved', () => {
    expect(evenAfter(2, { median: 1, low: 0.5, high: 4 })).toEqual({ packets: 2000, fewest: 500, most: 4000 });
    expect(evenAfter(2, { median: 1, low: -1, high: 4 })).toEqual({ packets: 2000, fewest: 500, most: Infinity });
  });
});

describe('the break-even of a run', () => {
  const half = (mean: number, deviation: number) => ({ count: 10, mean, variance: deviation ** 2, deviation });
  const ours = { suspend: half(1, 0.1), resume: half(2, 0.2), worstCase: 3.9 };
  const table61 = { rows: [{}, {}, ours, {}] };
  const paths = { sizes: [{ bytes: 200, saved: [{ against: 'netfilter DNAT', us: { median: 2, low: 1, high: 3 } }] }] };

  test('needs both sides to be measured in it', () => {
    expect(breakEven({ table61 })).toBeUndefined();
    expect(breakEven({ paths })).toBeUndefined();
  });

  test('is by average and by worst case of the connection, and with the whole pause where that was measured', () => {
    const blackout = [{ ours: { median: 80 } }];
    const lines = breakEven({ table61, paths, blackout }) ?? [];
    expect(lines.map(({ ms, cases }) => [ms, cases[0]?.packets])).toEqual([[3, 1500], [3.9, 1950], [80, 40_000]]);
    expect(breakEven({ table61, paths })).toHaveLength(2);
  });
});
