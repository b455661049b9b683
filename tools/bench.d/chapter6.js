'use strict';

/** The results of the parts that repeat MIGSOCK II's chapter 6, as tables: lists of rows, of which the first is the head. */

const { THESIS } = require('./breakeven');

/** MIGSOCK II's echo times in ms, plain and through DNAT, by packets and bytes. */
const THESIS_ECHO = {
  1000: { 200: [702, 704], 400: [1111, 1114], 800: [1926, 1926] },
  10000: { 200: [7047, 7062], 400: [11102, 11139], 800: [19246, 19276] },
  100000: { 200: [70050.5, 70646], 400: [111109, 111335], 800: [192459, 192797] },
  1000000: { 200: [703517, 706345], 400: [1110822, 1113109], 800: [1924456, 1927430] },
};

const whole = (value) => Math.round(value).toLocaleString('en');
const interval = ({ median, low, high }, digits) =>
  `${median.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
const spread = ({ median, q1, q3 }, digits) =>
  `${median.toFixed(digits)} (${q1.toFixed(digits)} - ${q3.toFixed(digits)})`;

function table61Table({ rows }) {
  const cells = ({ mean, variance, deviation }) => [mean, variance, deviation].map((value) => value.toFixed(3));
  const head = ['one socket, ms', 'trials', 'suspend and save: average', 'variance', 'deviation',
    'revive and resume: average', 'variance', 'deviation', 'worst case'];
  return [head,
    ...rows.map(
      ({ name, suspend, resume, worstCase }) => [name, whole(suspend.count), ...cells(suspend), ...cells(resume),
        worstCase.toFixed(2)]
    )];
}

/** Whole times, as in the figures. */
function timesTable({ sizes }) {
  const names = sizes[0].variants.map(({ name }) => name);
  const rows = sizes.flatMap(({ bytes, variants }) =>
    variants[0].counts.map(({ packets }, at) => [
      String(bytes),
      whole(packets),
      ...variants.map(({ counts }) => spread(counts[at].ms, 1)),
      THESIS_ECHO[packets]?.[bytes].map(whole).join(' / ') ?? '',
    ])
  );
  return [['bytes', 'packets', ...names.map((name) => `${name}, ms`), '2004: plain / DNAT, ms'], ...rows];
}

/** What one packet costs, there and back. */
function packetsTable({ sizes }) {
  const rows = sizes.flatMap(({ bytes, variants }) =>
    variants.map((
      { name, perPacket, more, ratio },
      at,
    ) => [String(bytes), name, interval(perPacket, 2),
      ...(at === 0 ? ['', ''] : [interval(more, 2), interval(ratio, 3)])]
    )
  );
  return [['bytes', 'path', 'a packet there and back, us', 'more than plain, us', 'ratio'], ...rows];
}

/** Microseconds a packet by the number of rules, of one group of kinds and one number of packets. */
function rulesTable(kinds) {
  const row = (
    name,
    points,
    perRule,
  ) => [name, ...points.map((point) => point.median.toFixed(2)), perRule === undefined ? '' : spread(perRule, 2)];
  const path = (which) =>
    kinds[0].points.map((_, at) => kinds.map(({ points }) => points[at][which])).map((list) => ({
      median: middle(list.map(({ median }) => median)),
    }));
  const head = ['rules', ...kinds[0].points.map(({ rules }) => String(rules)), 'ns for each rule (quartiles)'];
  return [
    head,
    ...kinds.map(({ name, points, perRule }) =>
      row(`netfilter, ${name}`, points.map(({ netfilter }) => netfilter), perRule?.netfilter)
    ),
    row('migrun, moved', path('migrun'), kinds[0].perRule?.migrun),
    row('plain', path('plain')),
  ];
}

const middle = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** One table for each group of kinds and number of packets. */
function rulesTables({ kinds }) {
  const keys = [...new Set(kinds.map(({ packets, group }) => JSON.stringify([packets, group])))].map((key) =>
    JSON.parse(key)
  );
  return keys.map(([packets, group]) =>
    rulesTable(kinds.filter((kind) => kind.packets === packets && kind.group === group))
  );
}

const packetsText = (packets) => (packets === Infinity ? 'never' : Number(packets.toPrecision(3)).toLocaleString('en'));

function breakEvenTable(lines) {
  const columns = lines[0].cases.map(({ bytes, against }) => `${against}, ${bytes} bytes`);
  const rows = lines.map(
    ({ what, ms, cases }) => [what, ms.toFixed(2),
      ...cases.map(({ packets, fewest, most }) =>
        `${packetsText(packets)} [${packetsText(fewest)}, ${packetsText(most)}]`
      )]
  );
  const thesis = packetsText((THESIS.costMs * 1000) / THESIS.savedUs);
  return [
    ['a migration costs', 'ms', ...columns],
    ...rows,
    ['MIGSOCK II, 2004: worst case', THESIS.costMs.toFixed(2),
      ...lines[0].cases.map(({ against }) => (against.includes('DNAT') ? thesis : ''))],
  ];
}

/** The tables of what was measured, by the mark in docs/chapter6.md that they belong to. */
function chapterTables({ table61, paths, rules, breakEven }) {
  return {
    ...(table61 && { table61: [table61Table(table61)] }),
    ...(paths && { paths: [timesTable(paths), packetsTable(paths)] }),
    ...(rules && { rules: rulesTables(rules) }),
    ...(breakEven && { breakeven: [breakEvenTable(breakEven)] }),
  };
}

module.exports = { chapterTables };
