'use strict';

/** The figures, as Vega-Lite specifications, and their rendering. */

const { quantile } = require('./stats');

/** A point with its interval. */
const layers = (mark, y, low, high, encoding) => [
  { mark, encoding: { ...encoding, y } },
  { mark: { type: 'rule', opacity: 0.5 }, encoding: { ...encoding, y: low, y2: high } },
];

const field = (name, type, title, more) => ({ field: name, type, title, ...more });

/** 1, 2, 5, 10, 20 ... at both sides of 1, further than any result. */
const STEPS = Array.from({ length: 16 }, (_, index) => [1, 2, 5].map((step) => Number(`${step}e${index - 6}`))).flat();

/** A logarithmic axis that has room for these values, from step to step. */
function logarithmic(values) {
  const first = STEPS.findLastIndex((step) => step <= Math.min(...values));
  const last = STEPS.findIndex((step, index) => step >= Math.max(...values) && index > first);
  const ticks = STEPS.slice(first, last + 1);
  return { scale: { type: 'log', domain: [ticks[0], ticks.at(-1)] }, axis: { values: ticks } };
}

const colour = (title) => ({ field: 'path', type: 'nominal', title, sort: null });

/** Figures 6.4 to 6.10: time by number of packets, for each size. */
function echoTimes({ sizes }) {
  const values = sizes.flatMap(({ bytes, variants }) =>
    variants.flatMap(({ name, counts }) =>
      counts.map(({ packets, ms }) => ({ bytes: `${bytes} bytes`, path: name, packets, ms: ms.median }))
    )
  );
  return {
    data: { values },
    facet: { column: { field: 'bytes', type: 'nominal', title: null, sort: null } },
    spec: {
      width: 220,
      height: 220,
      mark: { type: 'line', point: true },
      encoding: {
        x: field(
          'packets',
          'quantitative',
          'packets',
          logarithmic(values.map(({ packets }) => packets)),
        ),
        y: field('ms', 'quantitative', 'time, ms', logarithmic(values.map(({ ms }) => ms))),
        color: colour(null),
      },
    },
  };
}

/** What a packet there and back costs more than a plain one. */
function echoCosts({ sizes }) {
  const values = sizes.flatMap(({ bytes, variants }) =>
    variants.slice(1).map(({ name, more: { median, low, high } }) => ({
      bytes: `${bytes} bytes`,
      path: name,
      median,
      low,
      high,
    }))
  );
  const encoding = {
    x: { field: 'path', type: 'nominal', title: null, sort: null, axis: { labelAngle: -40 } },
    color: { ...colour(null), legend: null },
  };
  return {
    data: { values },
    facet: { column: { field: 'bytes', type: 'nominal', title: null, sort: null } },
    spec: {
      width: 180,
      height: 220,
      layer: layers(
        'bar',
        field('median', 'quantitative', 'more than plain, us a packet'),
        field('low', 'quantitative'),
        { field: 'high' },
        encoding,
      ),
    },
  };
}

/** Figures 6.12 to 6.14: time of a packet by number of rules, of one group of kinds; for the first number of packets. */
function byRules({ kinds }, group) {
  const [{ packets }] = kinds;
  const mine = kinds.filter((kind) => kind.group === group && kind.packets === packets);
  const line = (path, points, which) =>
    points.map((point) => ({
      path,
      rules: point.rules,
      us: point[which].median,
      q1: point[which].q1,
      q3: point[which].q3,
    }));
  const values = [
    ...mine.flatMap(({ name, points }) => line(`netfilter, ${name}`, points, 'netfilter')),
    ...line('migrun, moved', mine[0].points, 'migrun'),
    ...line('plain', mine[0].points, 'plain'),
  ];
  const encoding = { x: field('rules', 'quantitative', 'rules'), color: colour(null) };
  return {
    width: 460,
    height: 260,
    data: { values },
    layer: layers(
      { type: 'line', point: true },
      field('us', 'quantitative', 'a packet there and back, us', { scale: { zero: false } }),
      field('q1', 'quantitative'),
      { field: 'q3' },
      encoding,
    ),
  };
}

/** A line through so many points, evenly spread over the trials, cannot be told from one through all of them. */
const SHARES = Array.from({ length: 51 }, (_, index) => index / 50);

/** Table 6.1's trials: which share of them took no longer than that. MIGSOCK II has only its average, a single point. */
function trialTimes({ rows, values: { ours, criu } }) {
  const halves = { suspend: 'suspend and save', resume: 'revive and resume' };
  const values = Object.entries(halves).flatMap(([half, title]) => [
    ...SHARES.map((share) => ({ half: title, path: 'migrun, with the peer', ms: quantile(ours[half], share), share })),
    ...SHARES.map((share) => ({
      half: title,
      path: 'criu, the whole program',
      ms: quantile(criu[half], share),
      share,
    })),
    { half: title, path: 'MIGSOCK II, average', ms: rows[0][half].mean, share: 0.5 },
  ]);
  const single = "datum.path === 'MIGSOCK II, average'";
  return {
    data: { values },
    facet: { column: { field: 'half', type: 'nominal', title: null, sort: Object.values(halves) } },
    spec: {
      width: 260,
      height: 200,
      encoding: {
        x: field(
          'ms',
          'quantitative',
          'ms',
          logarithmic(values.map(({ ms }) => ms)),
        ),
        y: field('share', 'quantitative', 'share of the trials'),
        color: colour(null),
      },
      layer: [
        { mark: { type: 'line', interpolate: 'monotone' }, transform: [{ filter: `!(${single})` }] },
        { mark: { type: 'point', filled: true, size: 60 }, transform: [{ filter: single }] },
      ],
    },
  };
}

/** The figures of what was measured, by file name. */
function figures({ table61, paths, rules }) {
  return {
    ...(table61 && { 'suspend-resume': trialTimes(table61) }),
    ...(paths && { 'echo-times': echoTimes(paths), 'echo-costs': echoCosts(paths) }),
    ...(rules && { 'rules-nat': byRules(rules, 'nat'), 'rules-three-chains': byRules(rules, 'three chains') }),
  };
}

/** No mark has a text for screen readers, which would be half of each file: the tables beside the figures say the same. */
const CONFIG = { axis: { aria: false }, legend: { aria: false, labelLimit: 0 }, mark: { aria: false } };

/** A specification as an SVG text. */
async function draw(specification) {
  // Vega and Vega-Lite are ES modules.
  const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec } = lite.compile({ background: 'white', config: CONFIG, ...specification });
  const view = new vega.View(vega.parse(spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

module.exports = { draw, figures };
