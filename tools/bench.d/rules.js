'use strict';

/**
 * Figures 6.12 to 6.14: echo through netfilter, by the number of rules. A pod that Zap has moved needs a rule for its
 * translation; so the number of rules grows with that of pods, while migrun leaves nothing behind.
 *
 * The rules are of MIGSOCK II's kinds, in chains of type nat, which the kernel asks for the first packet of a connection
 * alone; and then up to 500 over three chains, of that type and of type filter, which it asks for each packet. Every
 * connection is made after the rules, and its first packet has met them before the time begins.
 */

const { openMoved } = require('./paths');
const { echo } = require('./loads');
const { ALIAS, CLIENT, SERVER, TRANSLATION, addAlias, chain, setRules } = require('./netfilter');
const { addressOf, startAgents } = require('./network');
const { Pair } = require('./pair');
const { median, slope, summary } = require('./stats');

const BYTES = 200;
const CPUS = [1, 1];

const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const own = addressOf(SERVER);
const otherPort = (index) => `ip daddr ${ALIAS} tcp dport ${1000 + index} dnat to ${own}`;
const otherAddress = (index) => `ip daddr 10.0.${1 + (index >> 8)}.${index & 255} dnat to ${own}`;
const otherSource = (index) => `ip saddr 10.0.${1 + (index >> 8)}.${index & 255} snat to ${ALIAS}`;
const accepted = (index) => `ip saddr 10.0.${1 + (index >> 8)}.${index & 255} accept`;
const prerouting = (rules) => chain('nat', 'prerouting', [...rules, TRANSLATION]);
/** How many of `count` are in the one of three chains. */
const share = (count, one) => Math.floor((count + one) / 3);

/** What `ruleset` gives for a number of rules; all but "that match" only stand in the way. */
const KINDS = [
  { name: 'by port', group: 'nat', ruleset: (count) => prerouting(times(count, otherPort)) },
  { name: 'by destination', group: 'nat', ruleset: (count) => prerouting(times(count, otherAddress)) },
  {
    name: 'SNAT in postrouting',
    group: 'nat',
    ruleset: (count) => prerouting([]) + chain('nat', 'postrouting', times(count, otherSource)),
  },
  { name: 'that match', group: 'nat', ruleset: (count) => prerouting(times(count - 1, () => TRANSLATION)) },
  {
    name: 'three chains of type nat',
    group: 'three chains',
    ruleset: (count) =>
      prerouting(times(share(count, 0), otherAddress))
      + chain('nat', 'input', times(share(count, 1), otherSource))
      + chain('nat', 'postrouting', times(share(count, 2), otherSource)),
  },
  {
    name: 'three chains of type filter',
    group: 'three chains',
    ruleset: (count) => prerouting([])
      + ['prerouting', 'input', 'output'].map((hook, one) => chain('filter', hook, times(share(count, one), accepted)))
        .join(''),
  },
];

/** Numbers of rules, by group, and of packets. */
const COUNTS = {
  quick: { nat: [1, 50], 'three chains': [500], packets: [100] },
  usual: { nat: [1, 5, 10, 20, 30, 40, 50], 'three chains': [3, 51, 102, 201, 300, 399, 500], packets: [1000] },
  full: {
    nat: [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50],
    'three chains': [3, 51, 102, 150, 201, 252, 300, 351, 399, 450, 500],
    packets: [1000, 10_000, 100_000],
  },
};

async function readied(pair) {
  await pair.batch(100);
  await pair.settle();
  pair.pin(CPUS);
  return pair;
}

/** A new connection through these rules, with a batch of the other two right beside it. */
async function onePoint(lab, { plain, moved }, ruleset, packets) {
  await setRules(lab, ruleset);
  const load = echo(BYTES);
  const through = await readied(await Pair.open(lab, { load, on: SERVER, from: CLIENT, address: ALIAS }));
  const point = {};
  for (const [name, pair] of Object.entries({ plain, netfilter: through, migrun: moved })) {
    await pair.batch(100);
    point[name] = (await pair.batch(packets)).wall;
  }
  await through.close();
  return point;
}

/** All points once, upwards or downwards, all kinds of a number of rules next to each other. */
async function oneRound(lab, counts, downwards) {
  const load = echo(BYTES);
  const stay = {
    plain: await readied(await Pair.open(lab, { load, on: 'hostD', from: 'hostE' })),
    moved: await readied(await openMoved(lab, load)),
  };
  const points = [];
  for (const packets of counts.packets) {
    for (const group of ['nat', 'three chains']) {
      for (const count of downwards ? [...counts[group]].reverse() : counts[group]) {
        for (const { name, ruleset } of KINDS.filter((kind) => kind.group === group)) {
          points.push({ kind: name, packets, rules: count, ...(await onePoint(lab, stay, ruleset(count), packets)) });
        }
      }
    }
  }
  await Promise.all([stay.plain.close(), stay.moved.close()]);
  return points;
}

/** One kind's points, and what a rule more adds to a packet there and back, in nanoseconds, in each round. */
function kindOf(rounds, { name, group }, packets) {
  const mine = rounds.map((points) => points.filter((point) => point.kind === name && point.packets === packets));
  const numbers = [...new Set(mine[0].map(({ rules }) => rules))].sort((one, other) => one - other);
  const at = (rules, path) => mine.map((points) => points.find((point) => point.rules === rules)[path]);
  const growth = (path) =>
    mine.map((points) =>
      slope(points.map((point) => [point.rules, (point[path] / point.plain) * median(at(point.rules, 'plain'))])) * 1000
    );
  return {
    name,
    group,
    packets,
    points: numbers.map((rules) => ({
      rules,
      plain: summary(at(rules, 'plain')),
      netfilter: summary(at(rules, 'netfilter')),
      migrun: summary(at(rules, 'migrun')),
    })),
    perRule: numbers.length < 2
      ? undefined
      : { netfilter: summary(growth('netfilter')), migrun: summary(growth('migrun')) },
  };
}

async function rules(lab, { runs, effort }) {
  const counts = COUNTS[effort];
  await startAgents(lab, ['hostA', 'hostB', 'hostC']);
  await addAlias(lab);
  const rounds = [];
  for (let run = 0; run < runs; run++) rounds.push(await oneRound(lab, counts, run % 2 === 1));
  const left = (await lab.run('hostB', 'nft', 'list', 'ruleset')).trim();
  if (left !== '') throw new Error(`hostB has packet filter rules after a migration: ${left}`);
  return {
    runs,
    bytes: BYTES,
    kinds: counts.packets.flatMap((packets) => KINDS.map((kind) => kindOf(rounds, kind, packets))),
  };
}

module.exports = { rules };
