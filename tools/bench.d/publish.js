'use strict';

/** Puts results where they go: the terminal, a JSON file, the pages in docs/. */

const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { repo } = require('../demo.d/lab');
const { breakEven } = require('./breakeven');
const { chapterTables } = require('./chapter6');
const { partsOf } = require('./parts');
const { draw, figures } = require('./plots');
const { scaleTables } = require('./scale-table');
const { isMet, machineText, markdownTable, phasesText, plainTable, tables } = require('./table');

const docs = join(repo, 'docs');

/** Replaces what stands between a page's mark of this name and its end. */
function insert(page, mark, text) {
  const file = join(docs, page);
  const begin = `<!-- ${mark} -->\n`;
  const [before, rest] = readFileSync(file, 'utf8').split(begin);
  if (rest === undefined) throw new Error(`${file} has no line "${begin.trim()}"`);
  const end = rest.indexOf('<!-- end -->');
  writeFileSync(file, `${before}${begin}${text}\n\n${rest.slice(end)}`);
}

/** A table's rows of docs/benchmarks.md, of those parts of these pages that were measured. */
function rowsOf(results, ...pages) {
  return pages.flatMap(partsOf).flatMap((part) => results[part] ?? []);
}

function chapterOf(results) {
  const { table61, paths, rules } = results;
  return { table61, paths, rules, breakEven: breakEven(results) };
}

function verdict(rows) {
  const named = (answer) => rows.filter((row) => isMet(row) === answer).map(({ what }) => what).join('; ');
  const [missed, open] = [named('NO'), named('open')];
  return [missed && `Not met: ${missed}.`, open && `Cannot be told from these runs: ${open}.`].filter(Boolean).join(
    '\n',
  ) || 'Every target is met.';
}

function print(results, about) {
  const rows = rowsOf(results, 'benchmarks', 'after a move');
  const phases = phasesText(rows);
  const all = [...tables(rows), ...scaleTables(results.scale),
    ...Object.values(chapterTables(chapterOf(results))).flat()].map(plainTable);
  process.stdout.write(
    `\n${[...all, about, phases].filter(Boolean).join('\n\n')}\n${rows.length > 0 ? `${verdict(rows)}\n` : ''}`,
  );
}

function writeBenchmarks(results, about) {
  const rows = rowsOf(results, 'benchmarks');
  insert(
    'benchmarks.md',
    'measured',
    [`${about}\n`, tables(rows).map(markdownTable).join('\n\n'), `\n${phasesText(rows)}`].join('\n'),
  );
}

/** A section of docs/benchmarks.md. */
function writeAfterMove(results, about) {
  insert(
    'benchmarks.md',
    'after a move',
    [about, ...tables(rowsOf(results, 'after a move')).map(markdownTable)].join('\n\n'),
  );
}

function writeScale({ scale }, about) {
  const measured = `${about} Medians of ${scale.runs} ${
    scale.runs === 1 ? 'move' : 'moves'
  } of each number of connections.`;
  insert('scale.md', 'measured', [measured, ...scaleTables(scale).map(markdownTable)].join('\n\n'));
}

async function writeChapter(results, about, on) {
  const chapter = chapterOf(results);
  insert('chapter6.md', 'about', about);
  for (const [mark, list] of Object.entries(chapterTables(chapter)))
    insert('chapter6.md', mark, list.map(markdownTable).join('\n\n'));
  const results6 = `${JSON.stringify({ machine: on, ...chapter }, rounded)}\n`;
  writeFileSync(join(docs, 'chapter6.json'), results6);
  await redraw();
}

/**
 * Rounds for JSON.stringify(): each of many single values has four digits, which is more than they have in common, all
 * else six.
 */
function rounded(_, value) {
  if (Array.isArray(value) && value.every((one) => typeof one === 'number'))
    return value.map((one) => Number(one.toPrecision(4)));
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}

/** The figures of chapter 6, from the results that were last put into docs/. */
async function redraw() {
  const results = JSON.parse(readFileSync(join(docs, 'chapter6.json'), 'utf8'));
  mkdirSync(join(docs, 'chapter6'), { recursive: true });
  for (const [name, figure] of Object.entries(figures(results)))
    writeFileSync(join(docs, 'chapter6', `${name}.svg`), await draw(figure));
}

/** A page, or a section with a mark of its own, is written where all parts of it were measured in this one run: numbers of different runs are not compared. */
async function writeDocs(results, about, on) {
  const pages = {
    benchmarks: writeBenchmarks,
    'after a move': writeAfterMove,
    scale: writeScale,
    chapter6: writeChapter,
  };
  for (const [page, write] of Object.entries(pages)) {
    const missing = partsOf(page).filter((part) => results[part] === undefined);
    if (missing.length === 0) await write(results, about, on);
    else process.stderr.write(`bench: ${page} in docs/ stays as it is without: ${missing.join(', ')}\n`);
  }
}

async function publish(results, on, { json, docs: intoDocs, effort }) {
  const about = `${effort === 'usual' ? 'Measured' : `Measured with --${effort}`} on ${machineText(on)}.`;
  print(results, about);
  if (json !== undefined)
    writeFileSync(
      json,
      `${JSON.stringify({ machine: on, effort, ...results, breakEven: breakEven(results) }, null, 2)}\n`,
    );
  if (intoDocs) await writeDocs(results, about, on);
}

module.exports = { publish, redraw };
