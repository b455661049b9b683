'use strict';

/** Time and memory against the number of connections, as tables: lists of rows, of which the first is the head. */

const KINDS = {
  times: { unit: 'ms', digits: 1, each: { unit: 'us', factor: 1000 } },
  memory: { unit: 'MiB', digits: 1, each: { unit: 'KiB', factor: 1024 } },
};
const NAMES = {
  frozen: 'freeze to first answer',
  source: "source's supervisor",
  target: "target's supervisor",
  agents: "the peers' agent",
  image: 'image and sockets',
};

const whole = (value) => value.toLocaleString('en');

/** One kind of quantities, a row each: its medians, and the line that they lie on. */
function tableOf({ counts, quantities }, kind) {
  const { unit, digits, each } = KINDS[kind];
  const head = [`${unit}, connections:`, ...counts.map(whole), `fixed, ${unit}`, `each connection, ${each.unit}`,
    'off the line'];
  const rows = quantities.filter((quantity) => quantity.kind === kind).map(({ name, measured, line }) => [
    NAMES[name] ?? name,
    ...measured.map(({ median }) => median.toFixed(digits)),
    line.base.toFixed(digits),
    (line.each * each.factor).toFixed(1),
    `${Math.round(line.off * 100)} %`,
  ]);
  return [head, ...rows];
}

function scaleTables(result) {
  return result === undefined ? [] : Object.keys(KINDS).map((kind) => tableOf(result, kind));
}

module.exports = { scaleTables };
