'use strict';

/** The results as a table for a terminal, and as one for docs/benchmarks.md. */

const { cpus, loadavg, release } = require('node:os');

const COLUMNS = ['what', 'migrun', 'quartiles', 'against', 'theirs', 'ratio', 'target', 'met'];

/** The ratio of a result: of medians, or the median of ratios where each run has both sides. */
function ratioOf({ ours, theirs, ratios }) {
  if (ratios !== undefined) return ratios.median;
  return theirs === undefined ? undefined : ours.median / (theirs.value ?? theirs.median);
}

/** undefined: there is no target. */
function isMet(result) {
  const { target, ours } = result;
  if (target === undefined) return undefined;
  return target.atMost !== undefined ? ours.median <= target.atMost : ratioOf(result) <= target.ratio;
}

function targetText({ target, unit }) {
  if (target === undefined) return '';
  return target.atMost !== undefined ? `<= ${target.atMost} ${unit}` : `ratio <= ${target.ratio}`;
}

/** With quartiles where each run has a ratio of its own. */
function ratioText(result) {
  const { ratios } = result;
  const spread = ratios === undefined ? '' : ` (${ratios.q1.toFixed(2)} - ${ratios.q3.toFixed(2)})`;
  return result.theirs === undefined ? '' : `${ratioOf(result).toFixed(3)}${spread}`;
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
    met === undefined ? '' : met ? 'yes' : 'NO',
  ];
}

function plainTable(results) {
  const rows = [COLUMNS, ...results.map(row)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  return rows.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n');
}

function markdownTable(results) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(COLUMNS), line(COLUMNS.map(() => '---')), ...results.map((result) => line(row(result)))].join('\n');
}

/** What the numbers depend on; to be called before the first measurement. */
function machine() {
  return { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', kernel: release(), node: process.version, load: loadavg()[0] };
}

function machineText({ cpus: count, model, kernel, node, load }) {
  return `${count} CPUs (${model}), Linux ${kernel}, Node.js ${node}; load average before the first run ${load.toFixed(1)}`;
}

function phasesText(results) {
  const phases = results.find((result) => result.phases !== undefined)?.phases ?? [];
  return phases.map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(', ');
}

module.exports = { isMet, machine, machineText, markdownTable, phasesText, plainTable };
