'use strict';

/** A lab of tools/lab, driven from Node.js: its hosts, what runs on them, and that nothing of it stays. */

const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const { copyFileSync, existsSync, readFileSync, readdirSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { createInterface } = require('node:readline');
const { clearTimeout, setTimeout } = require('node:timers');

const repo = resolve(__dirname, '../..');
const tool = join(repo, 'tools', 'lab');
/** Whatever is waited for comes long before this, also on a busy machine. */
const LONGEST_WAIT_MS = 30_000;
const base = process.env.MIGRUN_LAB_DIR ?? '/var/lib/migrun/lab';

/** A process that goes on while others are started: its lines, as they come. */
class Running {
  constructor(child, command) {
    this.child = child;
    this.command = command;
    this.lines = { stdout: [], stderr: [] };
    this.waiting = new Set();
    this.ended = once(child, 'close').then(([status, signal]) => {
      this.status = status ?? signal;
      for (const look of this.waiting) look();
    });
    for (const name of ['stdout', 'stderr']) {
      createInterface(child[name]).on('line', (line) => {
        this.lines[name].push(line);
        for (const look of this.waiting) look();
      });
    }
  }

  /** Resolves with what `find` gives for the process once that is not undefined; rejects where it ends before, or in vain. */
  until(find, timeoutMs = LONGEST_WAIT_MS) {
    return new Promise((found, failed) => {
      const fail = (what) =>
        failed(new Error(`"${this.command.join(' ')}" ${what}: ${this.lines.stderr.slice(-3).join('; ')}`));
      const look = () => {
        const value = find(this);
        if (value === undefined && this.status === undefined) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        if (value !== undefined) found(value);
        else fail(`ended with ${this.status}`);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        fail(`was waited for in vain for ${timeoutMs / 1000} s`);
      }, timeoutMs);
      this.waiting.add(look);
      look();
    });
  }

  /** The first match of a line that it has printed, or will print. */
  says(pattern) {
    return this.until(({ lines }) =>
      [...lines.stderr, ...lines.stdout].map((line) => pattern.exec(line)).find((match) => match !== null) ?? undefined
    );
  }
}

class Lab {
  /** Its prefix is random, so that labs can run side by side. */
  constructor(name) {
    this.prefix = `${name}-${randomBytes(3).toString('hex')}`;
    this.running = new Set();
    this.closing = false;
  }

  /** Hosts named hostA, hostB, ... with one cluster key. */
  async up(count = 3) {
    this.rising = this.finish(this.spawn(tool, ['up', '--prefix', this.prefix, '--hosts', String(count)]));
    await this.rising;
    const hosts = readFileSync(join(base, this.prefix, 'hosts'), 'utf8').split('\n').filter(Boolean);
    await this.run('hostA', 'migrun', 'keygen');
    for (const host of hosts.slice(1))
      copyFileSync(this.stateFile('hostA', 'cluster.key'), this.stateFile(host, 'cluster.key'));
  }

  stateFile(host, name) {
    return join(base, this.prefix, host, 'state', name);
  }

  /** A namespace of a host ("net", "mnt"), or the bridge's ("net"), as a file. */
  namespace(host, kind) {
    return join(base, '.ns', `${this.prefix}.${host}.${kind}`);
  }

  /** Starts a command on a host and lets it run. */
  start(host, ...command) {
    return this.spawn(tool, ['exec', '--prefix', this.prefix, host, '--', ...command]);
  }

  /** Starts a command on a host, whose standard input is ours to write to. */
  converse(host, ...command) {
    return this.spawn(tool, ['exec', '--prefix', this.prefix, host, '--', ...command], 'pipe');
  }

  /** Runs a command on a host and resolves with what it prints. */
  run(host, ...command) {
    return this.finish(this.start(host, ...command));
  }

  /** Takes a host's cable off the bridge, or puts it on again. */
  async plug(host, on) {
    const port = on ? ['master', 'bridge'] : ['nomaster'];
    await this.finish(
      this.spawn('nsenter', [`--net=${this.namespace('bridge', 'net')}`, 'ip', 'link', 'set', host, ...port]),
    );
  }

  /** Ends all that runs on the hosts, and removes them. May come twice, and in the middle of `up`. */
  async down() {
    this.closing = true;
    await this.rising?.catch(() => undefined);
    const ending = spawn(tool, ['down', '--prefix', this.prefix], {
      cwd: repo,
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(ending, 'close');
    for (const { child } of this.running) child.kill('SIGKILL');
    await Promise.all([...this.running].map(({ ended }) => ended));
  }

  /** What is still to be found of this lab and of these programs after `down`. */
  traces(programs, cgroupRoot) {
    const marked = join(base, this.prefix, '/');
    const processes = readdirSync('/proc').filter((pid) =>
      /^\d+$/.test(pid) && readOr('', `/proc/${pid}/environ`).includes(marked)
    );
    return [
      ...processes.map((pid) => `process ${pid} (${readOr('?', `/proc/${pid}/comm`).trim()})`),
      ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(this.prefix)).map(
        (line) => `mount ${line}`
      ),
      ...[join(base, this.prefix),
        ...listOr([], join(base, '.ns')).filter((name) => name.startsWith(`${this.prefix}.`))].filter((path) =>
          existsSync(resolve(base, '.ns', path))
        ),
      ...listOr([], cgroupRoot).filter((name) => programs.some((id) => name.startsWith(id))).map((name) =>
        `cgroup ${name}`
      ),
    ];
  }

  /** Starts a command in a process group of its own: a Ctrl-C in the terminal is ours to handle, by `down`. */
  spawn(command, args, stdin = 'ignore') {
    if (this.closing) throw new Error('the lab is going down');
    const running = new Running(
      spawn(command, args, { cwd: repo, detached: true, stdio: [stdin, 'pipe', 'pipe'] }),
      args[0] === 'exec' ? args.slice(5) : [command, ...args],
    );
    this.running.add(running);
    void running.ended.then(() => this.running.delete(running));
    return running;
  }

  async finish(running) {
    await running.ended;
    const { status, lines, command } = running;
    if (status !== 0) throw new Error(`"${command.join(' ')}" ended with ${status}: ${lines.stderr.join('; ')}`);
    return lines.stdout.join('\n');
  }
}

function readOr(otherwise, path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // it is gone
  }
}

function listOr(otherwise, path) {
  return existsSync(path) ? readdirSync(path) : otherwise;
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/**
 * Gives `main` a lab that is gone afterwards, however it ends. Resolves with an exit status: what `main` gives, 1
 * where it fails, or a signal's.
 */
async function withLab(name, count, main) {
  const lab = new Lab(name);
  const interrupted = new Promise((stop) => {
    for (const [signal, status] of Object.entries(SIGNALS)) process.on(signal, () => stop(status));
    // Whoever read the output left.
    process.stdout.on('error', () => stop(1));
  });
  try {
    const story = lab.up(count).then(() => main(lab));
    return await Promise.race([interrupted, story]);
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return 1;
  } finally {
    await lab.down();
  }
}

module.exports = { Lab, withLab, repo };
