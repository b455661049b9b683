'use strict';

/** What can be measured, how much of it by default, and where its results go. */

const { afterMove } = require('./after-move');
const { blackout } = require('./blackout');
const { paths } = require('./paths');
const { rules } = require('./rules');
const { scale } = require('./scale');
const { shim } = require('./shim');
const { sockets } = require('./sockets');
const { table61 } = require('./table61');

/**
 * `run(lab, { runs, effort })` resolves with rows for docs/benchmarks.md, or with a section of docs/chapter6.md or docs/scale.md;
 * `runs` is how often it is repeated with each effort.
 */
const PARTS = {
  sockets: { run: sockets, runs: { quick: 1, usual: 11, full: 31 }, page: 'benchmarks' },
  blackout: { run: blackout, runs: { quick: 1, usual: 11, full: 31 }, page: 'benchmarks' },
  echo: { run: shim.echo, runs: { quick: 1, usual: 7, full: 31 }, page: 'benchmarks' },
  bulk: { run: shim.bulk, runs: { quick: 1, usual: 7, full: 31 }, page: 'benchmarks' },
  afterMove: { run: afterMove, runs: { quick: 1, usual: 7, full: 31 }, page: 'after a move' },
  scale: { run: scale, runs: { quick: 1, usual: 2, full: 5 }, page: 'scale' },
  table61: { run: table61, runs: { quick: 1, usual: 1, full: 1 }, page: 'chapter6' },
  paths: { run: paths, runs: { quick: 1, usual: 4, full: 3 }, page: 'chapter6' },
  rules: { run: rules, runs: { quick: 1, usual: 5, full: 5 }, page: 'chapter6' },
};

function partsOf(page) {
  return Object.keys(PARTS).filter((name) => PARTS[name].page === page);
}

module.exports = { PARTS, partsOf };
