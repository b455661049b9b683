'use strict';

/** The figures, as Vega-Lite specifications, and their rendering. */

/** A point with its interval. */
const layers = (mark, y, low, high, encoding) => [
  { mark, encoding: { ...encoding, y } },
  { mark: { type: 'rule', opacity: 0.5 }, encoding: { ...encoding, y: low, y2: high } },
];

const field = (name, type, title, scale) => ({ field: name, type, title, ...(scale && { scale }) });
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
        x: field('packets', 'quantitative', 'packets', { type: 'log' }),
        y: field('ms', 'quantitative', 'time, ms', { type: 'log' }),
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
      field('us', 'quantitative', 'a packet there and back, us', { zero: false }),
      field('q1', 'quantitative'),
      { field: 'q3' },
      encoding,
    ),
  };
}

/** Table 6.1's trials: which share of them took no longer than that. */
function trialTimes({ rows, values: { ours, criu } }) {
  const shares = (path, trials, half) => {
    const sorted = trials.map((trial) => trial[half]).sort((one, other) => one - other);
    return sorted.map((ms, index) => ({
      half: half === 'suspend' ? 'suspend and save' : 'revive and resume',
      path,
      ms,
      share: (index + 1) / sorted.length,
    }));
  };
  const halves = ['suspend', 'resume'];
  const measured = halves.flatMap(
    (half) => [...shares('migrun, with the peer', ours, half), ...shares('criu, the whole program', criu, half)],
  );
  const before = halves.map((half) => ({
    half: half === 'suspend' ? 'suspend and save' : 'revive and resume',
    path: 'MIGSOCK II, average',
    ms: rows[0][half].mean,
    share: 0.5,
  }));
  return {
    data: { values: [...measured, ...before] },
    facet: { column: { field: 'half', type: 'nominal', title: null, sort: null } },
    spec: {
      width: 260,
      height: 200,
      mark: { type: 'point', size: 8 },
      encoding: {
        x: field('ms', 'quantitative', 'ms', { type: 'log' }),
        y: field('share', 'quantitative', 'share of the trials'),
        color: colour(null),
      },
    },
  };
}

/** By file name. */
function figures({ table61, paths, rules }) {
  return {
    ...(table61 && { 'suspend-resume': trialTimes(table61) }),
    ...(paths && { 'echo-times': echoTimes(paths), 'echo-costs': echoCosts(paths) }),
    ...(rules && { 'rules-nat': byRules(rules, 'nat'), 'rules-three-chains': byRules(rules, 'three chains') }),
  };
}

/** A specification as an SVG text. */
async function draw(specification) {
  // Both are ES modules.
  const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec } = lite.compile({ background: 'white', ...specification });
  const view = new vega.View(vega.parse(spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

module.exports = { draw, figures };
