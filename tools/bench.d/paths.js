'use strict';

/**
 * Figures 6.4 to 6.10: echo over a connection that nothing stands in the way of, over one that has been migrated, and
 * over the ways to reach a moved server without migrating its connections: translation of addresses, and a proxy.
 *
 * All programs are on one CPU: what is measured is the work that a packet makes, not the waking of sleeping CPUs. All
 * connections of one packet size stand side by side, and take turns.
 */

const { echo } = require('./loads');
const { ALIAS, CLIENT, SERVER, TRANSLATION, addAlias, chain, setRules } = require('./netfilter');
const { startAgents } = require('./network');
const { Pair, interleaved } = require('./pair');
const proxy = require('./proxy');
const { estimate, estimateOf, summary } = require('./stats');

/** MIGSOCK II's packet sizes. */
const SIZES = [200, 400, 800];
const CPUS = [1, 1];

/** The first is what the others are compared with. */
const VARIANTS = [
  { name: 'plain', open: (lab, load) => Pair.open(lab, { load, on: 'hostD', from: 'hostE' }) },
  { name: 'plain, again', open: (lab, load) => Pair.open(lab, { load, on: 'hostE', from: 'hostD' }) },
  {
    name: 'migrun, never moved',
    open: (lab, load) => Pair.open(lab, { load, on: 'hostA', from: 'hostC', wrapping: 'migrun' }),
  },
  { name: 'migrun, moved', open: openMoved },
  { name: 'netfilter DNAT', open: (lab, load) => Pair.open(lab, { load, on: SERVER, from: CLIENT, address: ALIAS }) },
  {
    name: 'proxy',
    open: (lab, load) =>
      Pair.open(lab, {
        load,
        on: 'hostD',
        from: 'hostE',
        address: proxy.HOST,
        through: (port) => proxy.startProxy(lab, port, 'hostD'),
      }),
  },
];

/** How often batches of how many packets are sent in one run; the first is what the cost of one packet comes from. */
const BATCHES = {
  quick: [{ packets: 100, sweeps: 4 }],
  usual: [{ packets: 1000, sweeps: 20 }, { packets: 10_000, sweeps: 3 }],
  full: [{ packets: 1000, sweeps: 20 }, { packets: 10_000, sweeps: 6 }, { packets: 100_000, sweeps: 3 }, {
    packets: 1_000_000,
    sweeps: 1,
  }],
};

/** Its connection has moved with its server from hostA to hostB. */
async function openMoved(lab, load) {
  const pair = await Pair.open(lab, { load, on: 'hostA', from: 'hostC', wrapping: 'migrun' });
  await pair.batch(1);
  await pair.settle();
  await lab.run('hostA', 'migrun', 'migrate', pair.server.id, '--to', 'hostB');
  await pair.settle();
  return pair;
}

/** samples[count][variant] is a list of microseconds, one for each batch, that a packet took there and back. */
async function oneRound(lab, bytes, batches) {
  const pairs = [];
  for (const { open } of VARIANTS) pairs.push(await open(lab, echo(bytes)));
  await interleaved(pairs, 1, batches[0].packets);
  for (const pair of pairs) await pair.settle();
  for (const pair of pairs) pair.pin(CPUS);
  await interleaved(pairs, 2, batches[0].packets);
  const samples = [];
  for (const { packets, sweeps } of batches) {
    const taken = await interleaved(pairs, sweeps, packets);
    samples.push(taken.map((list) => list.map(({ wall }) => wall)));
  }
  for (const pair of pairs) await pair.close();
  return samples;
}

/** What one variant takes for each number of packets, and what one packet of it costs more than a plain one. */
function variantOf(rounds, batches, variant) {
  const of = (count, which) => rounds.map((samples) => samples[count][which]);
  const against = (combine) => estimateOf(of(0, variant), of(0, 0), combine);
  return {
    name: VARIANTS[variant].name,
    counts: batches.map(({ packets }, count) => ({
      packets,
      ms: summary(of(count, variant).flat().map((us) => (us * packets) / 1000)),
    })),
    perPacket: estimate(of(0, variant)),
    more: against((one, plain) => one - plain),
    ratio: against((one, plain) => one / plain),
  };
}

/** What a packet of each of the two costs less than one of `dearer`, as estimated from batches next to each other. */
function difference(rounds, dearer, cheaper) {
  const at = (name) => VARIANTS.findIndex((variant) => variant.name === name);
  const of = (name) => rounds.map((samples) => samples[0][at(name)]);
  return estimateOf(of(dearer), of(cheaper), (one, other) => one - other);
}

async function paths(lab, { runs, effort }) {
  const batches = BATCHES[effort];
  await startAgents(lab, ['hostA', 'hostB', 'hostC']);
  await addAlias(lab);
  await setRules(lab, chain('nat', 'prerouting', [TRANSLATION]));
  const sizes = SIZES.map((bytes) => ({ bytes, rounds: [] }));
  for (let run = 0; run < runs; run++) {
    for (const { bytes, rounds } of sizes) rounds.push(await oneRound(lab, bytes, batches));
  }
  return {
    runs,
    sizes: sizes.map(({ bytes, rounds }) => ({
      bytes,
      variants: VARIANTS.map((_, variant) => variantOf(rounds, batches, variant)),
      saved: ['netfilter DNAT', 'proxy'].map((name) => ({
        against: name,
        us: difference(rounds, name, 'migrun, moved'),
      })),
    })),
  };
}

module.exports = { openMoved, paths };
