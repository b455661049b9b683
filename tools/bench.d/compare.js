'use strict';

/**
 * Several pairs of programs stand side by side and do the same load in turns; each is compared with the first.
 *
 * On two CPUs, one for each program, they are as two hosts would be, but most of a response's time is the waking of a
 * sleeping CPU. On one CPU the time is that of the work alone.
 */

const { bulk, echo } = require('./loads');
const { interleaved } = require('./pair');
const { estimateOf, summary } = require('./stats');

const TARGET = 1.02;

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
async function oneRound(lab, variants, { load, units }, sweeps) {
  const pairs = [];
  for (const { open } of variants) pairs.push(await open(lab, { load, units }));
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
function compared(rounds, placement, which, base) {
  const of = (variant, clock) => rounds.map((samples) => samples[placement][variant].map((batch) => batch[clock]));
  const ratio = (clock) => estimateOf(of(which, clock), of(base, clock), (one, other) => one / other);
  return { wall: ratio('wall'), cpu: ratio('cpu') };
}

function rowsOf(what, variants, comparisons, rounds, placement) {
  const { name } = PLACEMENTS[placement];
  const all = (which, clock) =>
    summary(rounds.flatMap((samples) => samples[placement][which].map((batch) => batch[clock])));
  const row = (clock, { suffix, which, base, against }, extra) => ({
    what: `${what}, ${name}${suffix}`,
    unit: 'us',
    ours: all(which, clock),
    theirs: { what: against, ...all(base, clock) },
    ratios: compared(rounds, placement, which, base)[clock],
    ...extra,
  });
  const rows = comparisons.map((comparison) => row('wall', comparison, { target: { ratio: TARGET } }));
  const main = rows.at(-1);
  main.steps = variants.slice(1).map((variant, at) => ({
    name: variant.name,
    ...compared(rounds, placement, at + 1, 0),
  }));
  const ofMain = comparisons.at(-1);
  return [...rows, row('cpu', { ...ofMain, suffix: `${ofMain.suffix}, CPU time` })];
}

/**
 * Rows of docs/benchmarks.md for one of LOADS, by name. `variants`, { name, open(lab, { load, units }) }, are measured in
 * turns, and each is compared with the first. `comparisons`, { suffix, which, base, against }, name a row each: which
 * variant by its number, against what other one; the last is the main one, of which CPU time is told too.
 */
async function compare(lab, { runs, effort }, kind, variants, comparisons) {
  const { what, ...load } = LOADS[kind];
  const rounds = [];
  for (let run = 0; run < runs; run++) rounds.push(await oneRound(lab, variants, load, SWEEPS[effort]));
  return PLACEMENTS.flatMap((_, placement) => rowsOf(what, variants, comparisons, rounds, placement));
}

module.exports = { compare };
