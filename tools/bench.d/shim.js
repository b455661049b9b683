'use strict';

/**
 * What it costs to be movable, before any move: the same pair of programs under migrun and on hosts that never saw it,
 * and, between the two, what of migrun each step adds. All pairs of a round stand side by side and work in turns.
 *
 * On two CPUs, one for each program, they are as two hosts would be, but most of a response's time is the waking of a
 * sleeping CPU. On one CPU the time is that of the work alone.
 */

const { bulk, echo } = require('./loads');
const { startAgents } = require('./network');
const { Pair, interleaved } = require('./pair');
const { estimateOf, summary } = require('./stats');

const TARGET = 1.02;

/** The first is what all are compared with; the second says what a ratio is worth where nothing differs. */
const VARIANTS = [
  { name: 'without migrun', on: 'hostD', from: 'hostE' },
  { name: 'without migrun, again', on: 'hostE', from: 'hostD' },
  { name: 'an agent on both hosts', on: 'hostA', from: 'hostC' },
  { name: 'agents; in a cgroup and a PID namespace', on: 'hostA', from: 'hostC', wrapping: 'pod' },
  { name: 'under migrun', on: 'hostA', from: 'hostC', wrapping: 'migrun' },
];

const PLACEMENTS = [
  { name: 'two CPUs', cpus: [0, 1] },
  { name: 'one CPU', cpus: [1, 1] },
];

const PACKET_BYTES = 64;
const EXCHANGE_MIB = 16;

const LOADS = {
  echo: { what: `request and response of ${PACKET_BYTES} bytes`, load: echo(PACKET_BYTES), units: 1000 },
  bulk: { what: 'bulk, both ways, per MiB', load: bulk(EXCHANGE_MIB), units: EXCHANGE_MIB },
};
const SWEEPS = { quick: 2, usual: 12, full: 12 };

/** One set of pairs, in each placement: samples[placement][variant] is a list of batches. */
async function oneRound(lab, { load, units }, sweeps) {
  const pairs = [];
  for (const variant of VARIANTS) pairs.push(await Pair.open(lab, { load, ...variant }));
  await interleaved(pairs, 1, units);
  for (const pair of pairs) await pair.settle();
  const samples = [];
  for (const { cpus } of PLACEMENTS) {
    for (const pair of pairs) pair.pin(cpus);
    await interleaved(pairs, 2, units);
    samples.push(await interleaved(pairs, sweeps, units));
  }
  for (const pair of pairs) await pair.close();
  return samples;
}

/** What a variant's batches take as a ratio of another's next to them; and the same of CPU time. */
function compared(rounds, placement, variant, base = 0) {
  const of = (which, clock) => rounds.map((samples) => samples[placement][which].map((batch) => batch[clock]));
  const ratio = (clock) => estimateOf(of(variant, clock), of(base, clock), (one, other) => one / other);
  return { name: VARIANTS[variant].name, wall: ratio('wall'), cpu: ratio('cpu') };
}

function rowsOf(what, rounds, placement) {
  const { name } = PLACEMENTS[placement];
  const last = VARIANTS.length - 1;
  const all = (which, clock) => summary(rounds.flatMap((samples) => samples[placement][which].map((batch) => batch[clock])));
  const steps = VARIANTS.map((_, variant) => compared(rounds, placement, variant)).slice(1);
  const row = (suffix, clock, base, against, extra) => ({
    what: `${what}, ${name}${suffix}`,
    unit: 'us',
    ours: all(last, clock),
    theirs: { what: against, ...all(base, clock) },
    ratios: compared(rounds, placement, last, base)[clock],
    ...extra,
  });
  return [
    row(', the shim', 'wall', last - 1, 'the same without the shim', { target: { ratio: TARGET } }),
    row('', 'wall', 0, VARIANTS[0].name, { target: { ratio: TARGET }, steps }),
    row(', CPU time', 'cpu', 0, VARIANTS[0].name),
  ];
}

async function costOf(lab, { runs, effort }, { what, ...load }) {
  await startAgents(lab, ['hostA', 'hostC']);
  const rounds = [];
  for (let run = 0; run < runs; run++) rounds.push(await oneRound(lab, load, SWEEPS[effort]));
  return PLACEMENTS.flatMap((_, placement) => rowsOf(what, rounds, placement));
}

const shim = {
  echo: (lab, options) => costOf(lab, options, LOADS.echo),
  bulk: (lab, options) => costOf(lab, options, LOADS.bulk),
};

module.exports = { shim };
