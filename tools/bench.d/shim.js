'use strict';

/**
 * What the shim costs: the same pair of programs under migrun and without it, on the same hosts, pinned to the same
 * CPUs, in turns. The times are the programs' own, taken after they are connected.
 */

const { summary } = require('./stats');

const FIRST_PORT = 6000;

/** Request and response: what one packet there and back takes. */
const echo = {
  what: 'request and response of 64 bytes',
  unit: 'us',
  server: (port) => ['echo_server', '0.0.0.0', port, '64'],
  client: (port) => ['echo_client', 'hostA', port, '30000', '64'],
  read: (text) => (Number(/ in ([\d.]+) ms/.exec(text)[1]) * 1000) / 30_000,
};

/** Full speed both ways at once: what one MiB each way takes. */
const bulk = {
  what: 'bulk, both ways, per MiB',
  unit: 'us',
  server: (port) => ['bulk_server', port, '512'],
  client: (port) => ['bulk_client', 'hostA', port, '512'],
  read: (text) => 1e6 / Number(/, ([\d.]+) MiB\/s/.exec(text)[1]),
};

let port = FIRST_PORT;

async function oneRun(lab, load, wrapping) {
  port++;
  const server = lab.start('hostA', ...wrapping, 'taskset', '-c', '0', ...load.server(String(port)));
  await server.says(/^listening on/);
  const text = await lab.run('hostC', ...wrapping, 'taskset', '-c', '1', ...load.client(String(port)));
  await lab.finish(server);
  return load.read(text);
}

async function costOf(lab, runs, load) {
  const times = { with: [], without: [] };
  const wrappings = { with: ['migrun', 'run', '-q', '--'], without: [] };
  for (let run = -1; run < runs; run++) {
    // In turns, and each first in every other run, so that whatever drifts hits both alike.
    const order = run % 2 === 0 ? ['with', 'without'] : ['without', 'with'];
    for (const side of order) {
      const time = await oneRun(lab, load, wrappings[side]);
      if (run >= 0) times[side].push(time);
    }
  }
  const ratios = summary(times.with.map((time, run) => time / times.without[run]));
  return { what: load.what, unit: load.unit, ours: summary(times.with), theirs: { what: 'without migrun', ...summary(times.without) }, ratios, target: { ratio: 1.02 } };
}

const shim = {
  echo: async (lab, runs) => [await costOf(lab, runs, echo)],
  bulk: async (lab, runs) => [await costOf(lab, runs, bulk)],
};

module.exports = { shim };
