'use strict';

/**
 * How fast a connection is after it has moved: against a fresh one of the same programs between the same two hosts.
 * All of them are under migrun, so that nothing but the move differs.
 */

const { compare } = require('./compare');
const { startAgents } = require('./network');
const { openMoved } = require('./paths');
const { Pair } = require('./pair');

const FRESH = { on: 'hostB', from: 'hostC', wrapping: 'migrun' };

/** Its server moves from hostA to hostB while one batch follows the other. */
async function openMovedAtWork(lab, { load, units }) {
  const pair = await Pair.open(lab, { load, on: 'hostA', from: 'hostC', wrapping: 'migrun' });
  await pair.batch(units);
  await pair.settle();
  let moved = false;
  const moving = lab.run('hostA', 'migrun', 'migrate', pair.server.id, '--to', 'hostB').finally(() => {
    moved = true;
  });
  while (!moved) await pair.time(units);
  await moving;
  await pair.settle();
  return pair;
}

/** The second says what a ratio is worth where nothing differs. */
const VARIANTS = [
  { name: 'a fresh connection', open: (lab, { load }) => Pair.open(lab, { load, ...FRESH }) },
  { name: 'a fresh connection, again', open: (lab, { load }) => Pair.open(lab, { load, ...FRESH }) },
  { name: 'moved while nothing was sent', open: (lab, { load }) => openMoved(lab, load) },
  { name: 'moved at full speed', open: openMovedAtWork },
];

const COMPARISONS = [
  { suffix: ', moved at rest', which: 2, base: 0, against: VARIANTS[0].name },
  { suffix: ', moved at full speed', which: 3, base: 0, against: VARIANTS[0].name },
];

/** Rows of docs/benchmarks.md, of requests and of a stream. */
async function afterMove(lab, options) {
  await startAgents(lab, ['hostA', 'hostB', 'hostC']);
  return [...(await compare(lab, options, 'echo', VARIANTS, COMPARISONS)),
    ...(await compare(lab, options, 'bulk', VARIANTS, COMPARISONS))];
}

module.exports = { afterMove };
