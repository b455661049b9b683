'use strict';

/** One move of a program, with the evidence before and after it. */

const { cgroupRoot } = require('../../dist/config');
const { cgroupsLeft, connectionOn, nothingWithin, processesOf, rulesOf, socketsOf } = require('./evidence');
const { firstWrong, longestGap, more, now } = require('./numbers');

const CLIENT_HOST = 'hostC';
const ADDRESSES = { hostA: '10.77.0.1', hostB: '10.77.0.2', hostC: '10.77.0.3' };
/** How long the kernel may take to clear away what was killed. */
const CLEAR_MS = 2_000;

/** `program` is {id, name, port, perSecond}; `client` the running count_client -t on hostC. */
async function move(lab, report, { program, client, from, to }) {
  const before = await connections(lab, program, [from, to, CLIENT_HOST]);
  const since = now();
  report.line(`${from}$ migrun migrate ${program.id} --to ${to}`);
  report.line();
  const { phases, bytes } = JSON.parse(await lab.run(from, 'migrun', 'migrate', program.id, '--to', to, '--json'));
  await more(client, program.perSecond / 2);
  const after = await connections(lab, program, [from, to, CLIENT_HOST]);

  report.table(
    [['phase', ...phases.map(({ name }) => name)], ['ms', ...phases.map(({ ms }) => ms.toFixed(1))]],
    (column) => column > 0,
  );
  report.line();
  report.table([['ss says', 'before', 'after'],
    ...[from, to, CLIENT_HOST].map((host) => [host, before[host] ?? '', after[host] ?? ''])]);
  report.line();
  showGap(report, longestGap(client, since), program);
  report.line(`images   ${Math.ceil(bytes / 1024)} KiB`);
  report.line();
  checkConnections(report, { program, from, to, before, after });
  checkNumbers(report, client);
  await checkLeft(lab, report, { program, from, to });
}

async function connections(lab, { port }, hosts) {
  return Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await connectionOn(lab, host, port)])));
}

function showGap(report, { ms, at, arrivals }, { perSecond }) {
  const around = arrivals.slice(Math.max(0, at - 3), at + 3);
  const zero = arrivals[at - 1].at;
  report.table([['number', ...around.map(({ number }) => String(number))], ['at ms', ...around.map((arrival) =>
    (arrival.at - zero).toFixed(1)
  )]], (column) => column > 0);
  report.line();
  const usual = 1000 / perSecond;
  report.line(
    `blackout ${(ms - usual).toFixed(1)} ms, as the client saw it (${
      ms.toFixed(1)
    } ms between two numbers, less the usual ${usual.toFixed(1)})`,
  );
}

function checkConnections(report, { program, from, to, before, after }) {
  const clientEnd = before[CLIENT_HOST]?.split(' -> ')[0] ?? 'none';
  const end = (host) => `${ADDRESSES[host]}:${program.port}`;
  const claims = [
    [`before: ${end(from)} and ${clientEnd} were connected`, before, from],
    [`after:  ${end(to)} and ${clientEnd} are, with nothing between`, after, to],
  ];
  for (const [claim, seen, host] of claims) {
    const holds = seen[host] === `${end(host)} -> ${clientEnd}` && seen[CLIENT_HOST] === `${clientEnd} -> ${end(host)}`;
    report.check(
      claim,
      holds,
      `${host} has ${seen[host] ?? 'none'}, ${CLIENT_HOST} has ${seen[CLIENT_HOST] ?? 'none'}`,
    );
  }
}

function checkNumbers(report, client) {
  const { stdout, stderr } = client.lines;
  const wrong = firstWrong(client);
  const complaints = stderr.filter((line) => !line.startsWith('migrun: program '));
  report.check(
    `the numbers 0 to ${stdout.length - 1} came, each once, in order`,
    wrong === undefined,
    `${wrong} is out of order`,
  );
  report.check(
    'the client goes on, and has noticed nothing',
    client.status === undefined && complaints.length === 0,
    complaints.join('; '),
  );
}

async function checkLeft(lab, report, { program, from, to }) {
  const within = (look) => nothingWithin(CLEAR_MS, look);
  report.checkNothing(`${from}: no process of the program`, await within(() => processesOf(lab, from, program)));
  const sockets = await within(() => socketsOf(lab, from, program.port));
  report.checkNothing(
    `${from}: no socket with port ${program.port}, in whatever state`,
    sockets.map(({ state, local, remote }) => `${state} ${local} -> ${remote}`),
  );
  report.checkNothing(
    `${from}: no packet filter rule (and none on ${to} and ${CLIENT_HOST})`,
    (await Promise.all([from, to, CLIENT_HOST].map((host) => rulesOf(lab, host)))).flat(),
  );
  report.checkNothing(`${from}: no cgroup`, await within(() => cgroupsLeft(lab, cgroupRoot(), program, to)));
}

module.exports = { ADDRESSES, CLIENT_HOST, move };
