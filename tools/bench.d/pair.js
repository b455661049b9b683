'use strict';

/**
 * A server and a client that stay, with one connection, and do a batch of their load when they are asked.
 *
 * The client is asked and answers through two FIFOs, so that of migrun, with whose console it would else speak, nothing
 * wakes up around a batch.
 */

const { execFileSync } = require('node:child_process');
const { closeSync, constants, mkdirSync, openSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync,
  writeSync } = require('node:fs');
const { Socket } = require('node:net');
const { getPriority } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { cgroupRoot } = require('../../dist/config');
const { pidsOf } = require('../../dist/program/pod');
const { inPod, makeCgroup } = require('./pod');

const FIRST_PORT = 20_000;
let ports = 0;

/** How a program is started, and which processes it then is. */
const WRAPPINGS = {
  plain: { command: (command) => command, pids: ({ child }) => [child.pid] },
  pod: { command: (command, cgroup) => inPod(cgroup, command), pids: (_running, cgroup) => pidsOf(cgroup) },
  migrun: { command: (command) => ['migrun', '--', ...command], pids: (_running, cgroup) => pidsOf(cgroup) },
};

/** The cgroup of a program of this id, wherever it is now: on a host that it has moved to, its name is longer. */
function cgroupOf(id) {
  const named = readdirSync(cgroupRoot()).filter((name) => name.startsWith(id));
  return join(cgroupRoot(), named.find((name) => name !== id) ?? id);
}

/** Nanoseconds that the process has had of a CPU, what it did for arriving packets included (proc(5), schedstat). */
function cpuTime(pid) {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
}

/** nice(1) orders the processes of one session only, where sessions are scheduled as groups (sched(7), autogroup). */
function favour(pid) {
  const nice = getPriority();
  if (nice < 0) writeFileSync(`/proc/${pid}/autogroup`, String(nice));
}

function pin(pid, cpu) {
  execFileSync('taskset', ['-a', '-p', '-c', String(cpu), String(pid)], { stdio: 'ignore' });
}

/** One program of the pair. */
class Side {
  constructor(lab, host, wrapping, name, command) {
    this.isWrapped = wrapping === 'migrun';
    this.wrapping = WRAPPINGS[wrapping];
    this.ownCgroup = wrapping === 'pod' ? makeCgroup(name) : undefined;
    this.running = lab.start(host, ...this.wrapping.command(command, this.ownCgroup));
  }

  /** Its processes, once it does what it was started for; to be asked again after a move. */
  async find() {
    if (this.isWrapped) [, this.id] = await this.running.says(/^migrun: program ([0-9a-f]+)$/);
    this.pids = this.wrapping.pids(this.running, this.isWrapped ? cgroupOf(this.id) : this.ownCgroup);
    this.pids.forEach(favour);
  }

  leave() {
    if (this.ownCgroup !== undefined) rmdirSync(this.ownCgroup);
  }
}

class Pair {
  /**
   * `on` is the server's host, `from` the client's; `wrapping` one of plain, pod, migrun. The client connects to
   * `address`; `through` starts what leads from there to the server, where that is a process (for one connection).
   */
  static async open(lab, { load, on, from, wrapping = 'plain', address = on, through }) {
    const pair = new Pair(lab, load);
    const port = String(FIRST_PORT + ports++);
    pair.server = new Side(lab, on, wrapping, `${port}-server`, load.server(port));
    await pair.server.running.says(/^listening on/);
    pair.between = await through?.(port);
    pair.makeFifos(lab.stateFile(from, `bench-${port}`));
    const command = ['sh', '-c', 'exec "$@" <"$0/ask" >"$0/answer"', pair.folder, ...load.client(address, port)];
    pair.client = new Side(lab, from, wrapping, `${port}-client`, command);
    return pair;
  }

  constructor(lab, load) {
    this.lab = lab;
    this.load = load;
  }

  makeFifos(folder) {
    this.folder = folder;
    mkdirSync(folder);
    const [ask, answer] = ['ask', 'answer'].map((name) => join(this.folder, name));
    execFileSync('mkfifo', [ask, answer]);
    // Open for both, so that no open waits for the other end; it ends when we close it.
    this.ask = openSync(ask, constants.O_RDWR | constants.O_NONBLOCK);
    this.answers = new Socket({
      fd: openSync(answer, constants.O_RDWR | constants.O_NONBLOCK),
      readable: true,
      writable: false,
    });
    createInterface(this.answers).on('line', (line) => this.answered?.(line));
  }

  /** Is called after a first batch, which makes sure that all of it runs. */
  async settle() {
    await Promise.all([this.server.find(), this.client.find()]);
  }

  /** The CPUs of server and client; what is between them goes with the server. */
  pin([server, client]) {
    this.server.pids.forEach((pid) => pin(pid, server));
    this.client.pids.forEach((pid) => pin(pid, client));
    if (this.between !== undefined) pin(this.between.child.pid, server);
  }

  /** Microseconds of the clock, and of CPU time of both programs, for each of `units`. */
  async batch(units) {
    const before = this.cpuTime();
    const wall = await this.time(units);
    return { wall, cpu: (this.cpuTime() - before) / 1000 / units };
  }

  /** Microseconds of the clock alone; it can be asked for while a program moves, and its processes change. */
  async time(units) {
    const line = await this.answerTo(this.load.ask(units));
    return (this.load.read(line) * 1000) / units;
  }

  answerTo(question) {
    const { running } = this.client;
    const answer = new Promise((resolve) => {
      this.answered = resolve;
    });
    const gone = running.ended.then(() => {
      throw new Error(
        `"${running.command.join(' ')}" has ended with ${running.status}: ${running.lines.stderr.slice(-3).join('; ')}`,
      );
    });
    gone.catch(() => undefined);
    writeSync(this.ask, `${question}\n`);
    return Promise.race([answer, gone]);
  }

  cpuTime() {
    const pids = [this.server, this.client].flatMap((side) => side.pids ?? []);
    return pids.reduce((sum, pid) => sum + cpuTime(pid), 0);
  }

  async close() {
    closeSync(this.ask);
    await this.lab.finish(this.client.running);
    await this.lab.finish(this.server.running);
    if (this.between !== undefined) await this.lab.finish(this.between);
    this.answers.destroy();
    rmSync(this.folder, { recursive: true });
    for (const side of [this.server, this.client]) side.leave();
  }
}

/**
 * `sweeps` times a batch of each pair, forwards and backwards in turns, so that whatever drifts hits all of them alike.
 * Resolves with each pair's list of batches; those with the same index were measured next to each other.
 */
async function interleaved(pairs, sweeps, units) {
  const batches = pairs.map(() => []);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const order = sweep % 2 === 0 ? [...pairs.keys()] : [...pairs.keys()].reverse();
    for (const at of order) batches[at].push(await pairs[at].batch(units));
  }
  return batches;
}

module.exports = { Pair, interleaved };
