interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

interface Stats {
  estimate(groups: number[][]): Estimate;
  estimateOf(groups: number[][], others: number[][], combine: (one: number, other: number) => number): Estimate;
  line(points: [number, number][]): { base: number; each: number; off: number };
  median(values: number[]): number;
  moments(values: number[]): { count: number; mean: number; variance: number; deviation: number };
  quantile(values: number[], q: number): number;
  slope(points: [number, number][]): number;
}

const { estimate, estimateOf, line, median, moments, quantile, slope } = jest.requireActual<Stats>(
  '../../tools/bench.d/stats',
);

describe('quantiles', () => {
  test('lie between neighbours, and do not depend on the order', () => {
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75);
    expect(median([10, 9, 100])).toBe(10);
    expect(median([7])).toBe(7);
    expect(median([10, 9])).toBe(9.5);
  });
});

describe('moments', () => {
  test("are those of a sample, as the thesis's table has them", () => {
    expect(moments([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({
      count: 8,
      mean: 5,
      variance: 32 / 7,
      deviation: Math.sqrt(32 / 7),
    });
  });

  test('of one value have no variance', () => {
    expect(moments([3])).toEqual({ count: 1, mean: 3, variance: 0, deviation: 0 });
  });
});

describe('an estimate', () => {
  const around = (center: number, count: number): number[] =>
    Array.from({ length: count }, (_, at) => center + ((at * 7919) % 101) / 1000 - 0.05);

  test('holds the median in its interval, and is the same at each call', () => {
    const groups = [around(1, 40), around(1.01, 40), around(0.99, 40)];
    const first = estimate(groups);
    expect(first.low).toBeLessThanOrEqual(first.median);
    expect(first.high).toBeGreaterThanOrEqual(first.median);
    expect(first.high - first.low).toBeLessThan(0.06);
    expect(estimate(groups)).toEqual(first);
  });

  test('is wider where groups differ than where the same values are mixed', () => {
    const apart = estimate([around(1, 40), around(2, 40), around(3, 40)]);
    const mixed = [around(1, 40), around(2, 40), around(3, 40)].flat();
    const together = estimate([0, 1, 2].map((part) => mixed.filter((_, at) => at % 3 === part)));
    expect(apart.high - apart.low).toBeGreaterThanOrEqual(together.high - together.low);
    expect(apart.high - apart.low).toBeGreaterThan(1.5);
  });

  test('of a ratio compares values next to each other, whatever both drift', () => {
    const base = [around(10, 30), around(50, 30)];
    const slower = base.map((group) => group.map((value) => value * 1.02));
    const { median: ratio, low, high } = estimateOf(slower, base, (one, other) => one / other);
    for (const value of [ratio, low, high]) expect(value).toBeCloseTo(1.02, 9);
  });
});

describe('a line', () => {
  test('through points that lie on it is that one', () => {
    const { base, each, off } = line([[1, 50.5], [10, 55], [100, 100], [10_000, 5050]]);
    for (const [value, wanted] of [[base, 50], [each, 0.5], [off, 0]] as const) expect(value).toBeCloseTo(wanted, 9);
  });

  test('says how far what does not grow with it is off', () => {
    expect(line([[1, 1], [10, 10], [100, 100], [1000, 1000], [10_000, 40_000]]).off).toBeGreaterThan(0.3);
  });
});

describe('a slope', () => {
  test('is not moved by an outlier', () => {
    expect(slope([[0, 5], [10, 25], [20, 45], [30, 1000], [40, 85]])).toBeCloseTo(2, 9);
  });

  test('takes several values at one place', () => {
    expect(slope([[1, 3], [1, 3], [2, 4], [2, 4]])).toBe(1);
  });
});
