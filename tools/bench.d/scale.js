'use strict';

/**
 * Time and memory against the number of a program's connections: a server with connections from ten processes of
 * another host moves once, with what is there before and after it.
 */

const { readFileSync, readdirSync, statSync, writeFileSync } = require('node:fs');
const { startAgents } = require('./network');
const { line, median, summary } = require('./stats');

/** How many numbers all connections together carry; both ends check them (test/fixtures/many.h). */
const PER_SECOND = 2000;
const CLIENTS = 10;
const FIRST_PORT = 7000;
const COUNTS = { quick: [1, 10, 100], usual: [1, 10, 100, 1_000, 10_000], full: [1, 10, 100, 1_000, 10_000] };

/** Processes of migrun whose memory may grow with the connections, and how they are found. */
const ROLES = [
  { name: 'source', host: 'hostA', has: (args, id) => args.includes('many_server') || args.includes(id) },
  { name: 'target', host: 'hostB', has: (args, id) => args.includes(id) },
  { name: 'agents', host: 'hostC', has: (args) => args.endsWith('agent') },
];

/** The processes of migrun that run on this host now, and their command lines. */
function processesOf(lab, host) {
  const { ino } = statSync(lab.namespace(host, 'net'));
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ');
      return args.includes('cli/main.js') && statSync(`/proc/${pid}/ns/net`).ino === ino ? [{ pid, args }] : [];
    } catch {
      return []; // it is gone
    }
  });
}

/** Makes the peaks of what runs already start anew (proc(5), clear_refs). */
function forgetPeaks(lab) {
  for (const { host } of ROLES)
    for (const { pid } of processesOf(lab, host)) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** MiB that the largest process of each role had at most. */
function peaks(lab, id) {
  return Object.fromEntries(ROLES.map(({ name, host, has }) => {
    const found = processesOf(lab, host).filter(({ args }) => has(args, id));
    const kib = found.map(({ pid }) =>
      Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
    );
    return [name, Math.max(...kib) / 1024];
  }));
}

/** One server with this many connections, which all are what they were after it has moved: both ends end with 0. */
async function oneMove(lab, connections, port) {
  const server = lab.start(
    'hostA',
    'migrun',
    '--',
    'many_server',
    String(port),
    String(connections),
    String(PER_SECOND),
  );
  const [, id] = await server.says(/^migrun: program ([0-9a-f]+)$/);
  await server.says(/^listening on/);
  const client = lab.start(
    'hostC',
    'many_client',
    'hostA',
    String(port),
    String(connections),
    String(Math.min(CLIENTS, connections)),
  );
  await server.says(/^\d+ connections$/);
  forgetPeaks(lab);
  const report = JSON.parse(await lab.run('hostA', 'migrun', 'migrate', id, '--to', 'hostB', '--json'));
  const memory = peaks(lab, id);
  server.child.kill('SIGTERM');
  await Promise.all([lab.finish(server), lab.finish(client)]);
  const phases = Object.fromEntries(report.phases.map(({ name, ms }) => [name, ms]));
  return {
    connections,
    times: { ...phases, frozen: report.frozenMs },
    memory: { ...memory, image: report.bytes / 2 ** 20 },
  };
}

/** Gives for each number of connections the medians, and for each quantity the line through all that was measured. */
function evaluate(samples, runs) {
  const counts = [...new Set(samples.map(({ connections }) => connections))];
  const quantities = ['times', 'memory'].flatMap((kind) =>
    Object.keys(samples[0][kind]).map((name) => ({ kind, name }))
  );
  const values = ({ kind, name }, count) =>
    samples.filter(({ connections }) => connections === count).map((sample) => sample[kind][name]);
  return {
    runs,
    counts,
    quantities: quantities.map((quantity) => ({
      ...quantity,
      measured: counts.map((count) => summary(values(quantity, count))),
      line: line(counts.map((count) => [count, median(values(quantity, count))])),
    })),
  };
}

async function scale(lab, { runs, effort }) {
  await startAgents(lab, ['hostA', 'hostB', 'hostC']);
  const samples = [];
  let port = FIRST_PORT;
  await oneMove(lab, 1, port++); // fills caches
  for (let run = 0; run < runs; run++)
    for (const count of COUNTS[effort]) samples.push(await oneMove(lab, count, port++));
  return evaluate(samples, runs);
}

module.exports = { scale };
