'use strict';

/**
 * What it costs to be movable, before any move: the same pair of programs under migrun and on hosts that never saw it,
 * and, between the two, what of migrun each step adds.
 */

const { compare } = require('./compare');
const { startAgents } = require('./network');
const { Pair } = require('./pair');

/** The second says what a ratio is worth where nothing differs. */
const VARIANTS = [
  { name: 'without migrun', on: 'hostD', from: 'hostE' },
  { name: 'without migrun, again', on: 'hostE', from: 'hostD' },
  { name: 'an agent on both hosts', on: 'hostA', from: 'hostC' },
  { name: 'agents; in a cgroup and a PID namespace', on: 'hostA', from: 'hostC', wrapping: 'pod' },
  { name: 'under migrun', on: 'hostA', from: 'hostC', wrapping: 'migrun' },
].map(({ name, ...where }) => ({ name, open: (lab, { load }) => Pair.open(lab, { load, ...where }) }));

const LAST = VARIANTS.length - 1;
const COMPARISONS = [
  { suffix: ', the shim', which: LAST, base: LAST - 1, against: 'the same without the shim' },
  { suffix: '', which: LAST, base: 0, against: VARIANTS[0].name },
];

async function costOf(lab, options, kind) {
  await startAgents(lab, ['hostA', 'hostC']);
  return compare(lab, options, kind, VARIANTS, COMPARISONS);
}

const shim = {
  echo: (lab, options) => costOf(lab, options, 'echo'),
  bulk: (lab, options) => costOf(lab, options, 'bulk'),
};

module.exports = { shim };
