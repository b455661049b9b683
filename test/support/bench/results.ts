/** Results as the parts of tools/bench give them, as small as they can be. */

const half = (mean: number) => ({ count: 2, mean, variance: 0.25, deviation: 0.5 });
const summary = (median: number) => ({
  median,
  q1: median - 1,
  q3: median + 1,
  values: [median - 1, median, median + 1],
});
const interval = (median: number) => ({ median, low: median - 0.5, high: median + 0.5 });
const row = (name: string, mean: number) => ({
  name,
  suspend: half(mean),
  resume: half(mean),
  worstCase: 2 * mean + 3,
});

export const table61 = {
  rows: [row('MIGSOCK II, 2004', 1.5), row('migrun', 0.5), row('migrun', 0.25), row('criu', 30)],
  values: { ours: { suspend: [0.5, 1], resume: [0.25, 2] }, criu: { suspend: [30], resume: [20] } },
};

const variant = (name: string, us: number) => ({
  name,
  counts: [1000, 10_000].map((packets) => ({ packets, ms: summary(us * packets / 1000) })),
  perPacket: interval(us),
  more: interval(us - 20),
  ratio: interval(us / 20),
});

export const paths = {
  runs: 1,
  sizes: [200, 800].map((bytes) => ({
    bytes,
    variants: [variant('plain', 20), variant('migrun, moved', 21), variant('netfilter DNAT', 22)],
    saved: [{ against: 'netfilter DNAT', us: { median: 1, low: -0.5, high: 2 } }],
  })),
};

const kind = (name: string, group: string, slope: number) => ({
  name,
  group,
  packets: 1000,
  points: [1, 50].map((rules) => ({
    rules,
    plain: summary(20),
    netfilter: summary(22 + slope * rules),
    migrun: summary(21),
  })),
  perRule: { netfilter: summary(slope * 1000), migrun: summary(0) },
});

const quantity = (kind: string, name: string) => ({
  kind,
  name,
  measured: [summary(50), summary(5050)],
  line: { base: 49.5, each: 0.5, off: 0.016 },
});

export const scale = {
  runs: 2,
  counts: [1, 10_000],
  quantities: [quantity('times', 'dump'), quantity('times', 'frozen'), quantity('memory', 'source')],
};

export const rules = {
  runs: 1,
  bytes: 200,
  kinds: [kind('by port', 'nat', 0), kind('that match', 'nat', 0),
    kind('three chains of type filter', 'three chains', 0.05)],
};
