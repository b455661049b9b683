'use strict';

/** The results as a table for a terminal, and as one for docs/benchmarks.md. */

const { cpus, loadavg, release } = require('node:os');

const COLUMNS = ['what', 'migrun', 'quartiles', 'against', 'theirs', 'ratio', 'target', 'met'];

/** The ratio of a result: of medians, or the median of ratios where each run has both sides. */
function ratioOf({ ours, theirs, ratios }) {
  if (ratios !== undefined) return ratios.median;
  return theirs === undefined ? undefined : ours.median / (theirs.value ?? theirs.median);
}

/** "yes", "NO", or "open" where the ratio's interval contains the target; undefined: there is no target. */
function isMet(result) {
  const { target, ours, ratios } = result;
  if (target === undefined) return undefined;
  if (ratios?.low !== undefined && ratios.low <= target.ratio && ratios.high > target.ratio) return 'open';
  const met = target.atMost !== undefined ? ours.median <= target.atMost : ratioOf(result) <= target.ratio;
  return met ? 'yes' : 'NO';
}

function targetText({ target, unit }) {
  if (target === undefined) return '';
  return target.atMost !== undefined ? `<= ${target.atMost} ${unit}` : `ratio <= ${target.ratio}`;
}

/** A ratio, with quartiles where each run has one of its own, or with the 95 % interval of the median where that is known. */
function ratioText(result) {
  const { ratios } = result;
  if (result.theirs === undefined) return '';
  if (ratios?.low !== undefined) return intervalText(ratios);
  const spread = ratios === undefined ? '' : ` (${ratios.q1.toFixed(2)} - ${ratios.q3.toFixed(2)})`;
  return `${ratioOf(result).toFixed(3)}${spread}`;
}

function intervalText({ median, low, high }) {
  return `${median.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function amount(value, unit) {
  return `${value < 10 ? value.toFixed(3) : value.toFixed(1)} ${unit}`;
}

function row(result) {
  const { what, unit, ours, theirs } = result;
  const met = isMet(result);
  return [
    what,
    amount(ours.median, unit),
    `${amount(ours.q1, unit)} - ${amount(ours.q3, unit)}`,
    theirs?.what ?? '',
    theirs === undefined ? '' : amount(theirs.value ?? theirs.median, unit),
    ratioText(result),
    targetText(result),
    met ?? '',
  ];
}

/** What each step from no migrun to all of it adds: of the results that were measured in steps. */
function stepTable(results) {
  const lines = results.filter(({ steps }) => steps !== undefined).flatMap(({ what, steps }) =>
    steps.map(({ name, wall, cpu }) => [what, name, intervalText(wall), intervalText(cpu)])
  );
  return lines.length === 0
    ? undefined
    : [['what', 'compared with the first of its kind', 'time, ratio', 'CPU time, ratio'], ...lines];
}

/** All tables of these results, the main one first: each a list of rows, of which the first is its head. */
function tables(results) {
  const main = results.length === 0 ? [] : [[COLUMNS, ...results.map(row)]];
  return [...main, stepTable(results)].filter((table) => table !== undefined);
}

function plainTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  return rows.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n');
}

function markdownTable([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What the numbers depend on; to be called before the first measurement. */
function machine() {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    kernel: release(),
    node: process.version,
    load: loadavg()[0],
  };
}

function machineText({ cpus: count, model, kernel, node, load }) {
  return `${count} CPUs (${model}), Linux ${kernel}, Node.js ${node}; load average before the first run ${
    load.toFixed(1)
  }`;
}

function phasesText(results) {
  const phases = results.find((result) => result.phases !== undefined)?.phases ?? [];
  return phases.length === 0
    ? ''
    : `Phases of a move, median ms: ${phases.map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(', ')}.`;
}

module.exports = { isMet, machine, machineText, markdownTable, phasesText, plainTable, tables };
