'use strict';

/**
 * sockets-worker ROUNDS: saves and revives one live connection again and again; runs on a host of the lab.
 *
 * Both ends are this process's own. Everything between the times taken is one synchronous piece, so neither end's
 * owner runs while its socket is locked. Prints {suspend, restart}: each round's median, in milliseconds.
 */

const { once } = require('node:events');
const { connect, createServer } = require('node:net');
const { performance } = require('node:perf_hooks');
const { native } = require('../../dist/native/index');
const { median } = require('./stats');

const PER_ROUND = 300;

async function openPair() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(server.address().port, '127.0.0.1');
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  const held = native.socketCollect([process.pid]).find(({ local, remote }) =>
    local.port === client.localPort && remote.port === client.remotePort
  );
  return { fd: held.fd, close: () => [server.close(), client.destroy(), accepted.destroy()] };
}

function measure(fd) {
  const start = performance.now();
  native.socketLock([fd], 0);
  const [saved] = native.tcpSave([fd]);
  const between = performance.now();
  // Nothing is under way, so the other end has all that was ever sent.
  native.tcpRevive([{ fd, saved, local: saved.local, remote: saved.remote, peerHas: saved.sndUna }], true);
  native.tcpRelease([fd]);
  return { suspend: between - start, restart: performance.now() - between };
}

async function main() {
  const rounds = Number(process.argv[2]);
  const { fd, close } = await openPair();
  const result = { suspend: [], restart: [] };
  for (let round = -1; round < rounds; round++) {
    const times = Array.from({ length: PER_ROUND }, () => measure(fd));
    if (round < 0) continue; // the first one warms the compiler and the caches up
    for (const name of ['suspend', 'restart']) result[name].push(median(times.map((time) => time[name])));
  }
  close();
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

void main();
