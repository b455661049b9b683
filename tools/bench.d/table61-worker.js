'use strict';

/**
 * table61-worker CGROUP PORT: suspends and resumes, on the program's host, the one connection at PORT of the program in
 * CGROUP, together with its peer: what a migration does with a connection, without the program around it. It stands
 * for the agent of a host that has none.
 *
 * For each line of its standard input, a number, it does so that often and prints one line, the list of the trials:
 * `suspend` and `resume` in milliseconds with the peer's part, `save` and `revive` without.
 */

const { randomBytes } = require('node:crypto');
const { performance } = require('node:perf_hooks');
const { createInterface } = require('node:readline');
const pino = require('pino');
const { Peering } = require('../../dist/agent/peering');
const { loadConfig } = require('../../dist/config');
const { native } = require('../../dist/native');
const { pidsOf } = require('../../dist/program/pod');
const { readClusterKey } = require('../../dist/protocol/channel/cluster-key');

const DEADLINE = { deadlineMs: 10_000 };
const LEASE_MS = 10_000;
const FREEZE_MS = 5_000;

function must(what, { status }) {
  if (status !== 'ok') throw new Error(`the peer was to be ${what}, and answered "${status}"`);
}

/**
 * Introduces the connection to its peer, as a program's host does when it connects and its next host after a move: what was
 * introduced is moved once. Returns the group.
 */
async function introduced(peering, connection) {
  const group = randomBytes(16).toString('hex');
  const [peer] = await peering.introduce({ group, connections: [connection], ...DEADLINE });
  must('introduced', peer);
  return group;
}

/** The program stands still before the time begins and until it is over, as MIGSOCK II's does. */
async function trial(peering, { fd, connection, group }) {
  const migration = randomBytes(16).toString('hex');
  const request = { migration, group, connections: [connection], leaseMs: LEASE_MS, ...DEADLINE };
  const begin = performance.now();
  const [locked] = await peering.lock({ ...request, round: 1 });
  must('locked', locked);
  const answered = performance.now();
  native.socketLock([fd], 0);
  const [saved] = native.tcpSave([fd]);
  const stored = performance.now();
  // The lock is renewed, as while a program is dumped: the answer comes when the agent has done what it does after the
  // first.
  await peering.lock({ ...request, round: 2 });
  const { local, remote, rcvNxt } = saved;
  const back = performance.now();
  native.tcpRevive([{ fd, saved, local, remote, peerHas: locked.rcvNxt }], true);
  const revived = performance.now();
  const [resumed] = await peering.resume({
    migration,
    group,
    role: 'source',
    moved: [{ connection, to: connection, peerHas: rcvNxt }],
    ...DEADLINE,
  });
  must('resumed', resumed);
  const told = performance.now();
  native.tcpRelease([fd]);
  const end = performance.now();
  return { suspend: stored - begin, save: stored - answered, resume: end - back, revive: revived - back + end - told };
}

async function main() {
  const [cgroup, port] = process.argv.slice(2);
  const programs = { freezerOf: () => null, isMigrating: () => true };
  const peering = new Peering({
    native,
    clusterKey: readClusterKey(loadConfig().clusterKeyFile),
    log: pino({ level: 'silent' }),
    programs,
  });
  const held = native.socketCollect(pidsOf(cgroup)).find(({ local, remote }) =>
    local.port === Number(port) && remote.port !== 0
  );
  const { fd, local, remote } = held;
  for await (const line of createInterface(process.stdin)) {
    const trials = [];
    for (let count = Number(line); count > 0; count--) {
      const group = await introduced(peering, { local, remote });
      native.cgroupFreeze(cgroup, FREEZE_MS);
      try {
        trials.push(await trial(peering, { fd, connection: { local, remote }, group }));
      } finally {
        native.cgroupThaw(cgroup);
      }
    }
    process.stdout.write(`${JSON.stringify(trials)}\n`);
  }
  peering.close();
}

main().catch((error) => {
  process.stderr.write(`table61-worker: ${error.message}\n`);
  process.exit(1);
});
