'use strict';

/**
 * Table 6.1, in MIGSOCK II's words: one socket suspended and saved, and revived and resumed, its peer on another host
 * included. In turns with it, CRIU's own --tcp-established dump and restore of the same program, which is what CRIU has
 * for one socket: it has no socket without its process, and no peer that knows.
 */

const { mkdirSync, rmdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { cgroupRoot, loadConfig } = require('../../dist/config');
const { innerPid, pidsOf } = require('../../dist/program/pod');
const { firstWrong, more } = require('../demo.d/numbers');
const { kill, timed } = require('./criu');
const { startAgents } = require('./network');
const { inPod, makeCgroup } = require('./pod');
const { moments } = require('./stats');

/** MIGSOCK II's table 6.1, in milliseconds. */
const THESIS = {
  trials: 10,
  suspend: { count: 10, mean: 1.53, variance: 0.04, deviation: 0.19 },
  resume: { count: 10, mean: 2.79, variance: 0.84, deviation: 0.92 },
};

const HOST = 'hostG';
const PEER = 'hostC';
const FIRST_PORT = 19_000;
const PER_SECOND = 200;

/** Trials of each kind; those of CRIU, of which each is a program's, are fewer. */
const TRIALS = { quick: { ours: 20, criu: 2 }, usual: { ours: 1000, criu: 100 }, full: { ours: 1000, criu: 1000 } };
const CRIU = '--tcp-established --network-lock nftables --manage-cgroups=ignore -v2 -o criu.log';

/** A count_server in a cgroup and PID namespace of its own, and its client on another host. */
class Counting {
  static async start(lab, port) {
    const counting = new Counting();
    counting.lab = lab;
    counting.cgroup = makeCgroup(port);
    const [numbers, errors] = ['numbers', 'errors'].map((name) => lab.stateFile(HOST, `${name}-${port}`));
    writeFileSync(errors, '');
    // CRIU takes a whole session, and no descriptor whose other end is not in it.
    const script = 'exec count_server "$0" "$1" </dev/null >"$2" 2>"$3"';
    counting.server = lab.start(
      HOST,
      ...inPod(counting.cgroup, ['sh', '-c', script, String(port), String(PER_SECOND), numbers, errors]),
    );
    const said = lab.start(HOST, 'tail', '-f', '-n', '+1', errors);
    await said.says(/^listening on/);
    said.child.kill();
    counting.client = lab.start(PEER, 'count_client', HOST, String(port));
    await counting.goesOn();
    return counting;
  }

  /** The connection is alive. */
  goesOn() {
    return more(this.client, 2);
  }

  async end() {
    const wrong = firstWrong(this.client);
    this.client.child.kill('SIGTERM');
    await kill(this.cgroup);
    await Promise.all([this.client.ended, this.server.ended]);
    rmdirSync(this.cgroup);
    if (wrong !== undefined) throw new Error(`the client of port on ${HOST} has seen ${wrong} out of order`);
  }
}

/** Suspends and resumes one connection as often as it is asked. */
class Worker {
  constructor(lab, { cgroup }, port) {
    this.running = lab.converse(HOST, process.execPath, join(__dirname, 'table61-worker.js'), cgroup, String(port));
    this.lab = lab;
  }

  async trials(count) {
    const already = this.running.lines.stdout.length;
    this.running.child.stdin.write(`${count}\n`);
    return JSON.parse(await this.running.until(({ lines }) => lines.stdout[already]));
  }

  async end() {
    this.running.child.stdin.end();
    await this.lab.finish(this.running);
  }
}

/** Milliseconds that `criu dump` and `criu restore` take, of the program as it is now. */
async function criuTrial(lab, { cgroup }, images) {
  const { criu } = loadConfig();
  const pid = pidsOf(cgroup).find((one) => innerPid(one) === 1);
  const log = join(images, 'criu.log');
  const suspend = await timed(lab, HOST, cgroupRoot(), log, `${criu} dump -t ${pid} -D ${images} ${CRIU}`);
  const resume = await timed(lab, HOST, cgroup, log, `${criu} restore -d -D ${images} ${CRIU}`);
  return { suspend, resume };
}

/** Average, variance, deviation of each half; and of `count` trials from the front. */
function statistics(trials, halves, count = trials.length) {
  const of = (half) => trials.slice(0, count).map((trial) => trial[half]);
  return Object.fromEntries(halves.map((half) => [half, moments(of(half))]));
}

/** The worst case as MIGSOCK II reckons it: three deviations above the average, of both halves. */
function worstCase({ suspend, resume }) {
  return suspend.mean + 3 * suspend.deviation + resume.mean + 3 * resume.deviation;
}

const BATCH = 10;

async function table61(lab, { effort }) {
  const trials = TRIALS[effort];
  await startAgents(lab, [PEER]);
  const images = lab.stateFile(HOST, 'images');
  mkdirSync(images);
  const [own, bare] = [await Counting.start(lab, FIRST_PORT), await Counting.start(lab, FIRST_PORT + 1)];
  const worker = new Worker(lab, own, FIRST_PORT);
  await worker.trials(BATCH);
  await criuTrial(lab, bare, images); // it fills CRIU's cache
  const [ours, theirs] = [[], []];
  while (ours.length < trials.ours || theirs.length < trials.criu) {
    if (ours.length < trials.ours) ours.push(...(await worker.trials(BATCH)));
    await own.goesOn();
    if (theirs.length < trials.criu) theirs.push(await criuTrial(lab, bare, images));
    await bare.goesOn();
  }
  await worker.end();
  await Promise.all([own.end(), bare.end()]);
  const halves = ['suspend', 'resume'];
  const rows = [
    { name: 'MIGSOCK II, 2004', ...THESIS, trials: undefined },
    { name: 'migrun, with the peer', ...statistics(ours, halves, THESIS.trials) },
    { name: 'migrun, with the peer', ...statistics(ours, halves) },
    { name: 'migrun, the socket alone', ...renamed(statistics(ours, ['save', 'revive'])) },
    { name: 'criu --tcp-established, the whole program', ...statistics(theirs, halves, THESIS.trials) },
    { name: 'criu --tcp-established, the whole program', ...statistics(theirs, halves) },
  ];
  return {
    rows: rows.map((row) => ({ ...row, worstCase: worstCase(row) })),
    values: { ours: columns(ours), criu: columns(theirs) },
  };
}

/** The trials as one list for each thing that was timed. */
function columns(trials) {
  return Object.fromEntries(Object.keys(trials[0]).map((name) => [name, trials.map((trial) => trial[name])]));
}

const renamed = ({ save, revive }) => ({ suspend: save, resume: revive });

module.exports = { table61, worstCase };
