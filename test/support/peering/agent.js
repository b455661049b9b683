'use strict';

/**
 * One host's peering, and as much of a supervisor as moves sockets without a program around them.
 * Runs what `npm run build` made.
 */

const { join } = require('node:path');
const pino = require('pino');
const serve = require('../serve');

const dist = join(__dirname, '..', '..', '..', 'dist');
const { native } = require(join(dist, 'native'));
const { Peering } = require(join(dist, 'agent', 'peering'));

const migrating = new Set();
let peering;
let frozen;

/** Descriptors of ours for these connections of this process. */
function take(pid, connections) {
  const inodes = native.diagConnectionInodes(connections);
  const owners = new Map(native.ownersFind(inodes).map((owner) => [owner.inode, owner]));
  const pidfd = native.processOpen(pid);
  try {
    return inodes.map((inode) => native.processTakeFd(pidfd, owners.get(inode).fd));
  } finally {
    native.closeFd(pidfd);
  }
}

/** At connections of this process, for a moment. */
function looking(pid, connections, look) {
  const fds = take(pid, connections);
  try {
    return look(fds);
  } finally {
    for (const fd of fds) native.closeFd(fd);
  }
}

serve({
  open(clusterKey, holdsDir = null) {
    const programs = { freezerOf: () => null, isMigrating: (pid) => migrating.has(pid), isSuspended: () => false };
    const log = pino({ level: process.env.MIGRUN_TEST_LOG ?? 'silent' });
    peering = new Peering({ native, clusterKey, log, programs, holdsDir });
  },
  close: () => peering.close(),
  ask: (method, request) => peering[method](request),
  facts: () => peering.facts(),
  setMigrating: (pid, on) => void (on ? migrating.add(pid) : migrating.delete(pid)),
  /** TCP_USER_TIMEOUT of connections of this process. */
  userTimeouts: (pid, connections) => looking(pid, connections, (fds) => native.tcpUserTimeouts(fds)),
  isWindowShut: (pid, connection) => looking(pid, [connection], ([fd]) => native.tcpIsWindowShut(fd)),
  descriptors: () => require('node:fs').readdirSync('/proc/self/fd').length,

  /** The source: its program stands still from here on. */
  save(pid, connections) {
    frozen = native.ptraceFreeze([pid]);
    const fds = take(pid, connections);
    native.socketLock(fds, 0);
    return { fds, saved: native.tcpSave(fds) };
  },
  /** The source, after commit: its program was moved. */
  leave(pid, fds) {
    process.kill(pid, 'SIGKILL');
    frozen.release();
    native.tcpCloseSilently(fds);
  },
  /** The source, where nothing was moved. */
  stay(fds) {
    native.tcpUnsave(fds);
    native.socketUnlock(fds);
    frozen.release();
    for (const fd of fds) native.closeFd(fd);
  },
  /** The target: these sockets of a program that stands still become those that were saved. */
  revive(pid, connections, requests) {
    frozen = native.ptraceFreeze([pid]);
    const fds = take(pid, connections);
    native.socketLock(fds, 0);
    native.tcpSave(fds);
    native.tcpRevive(requests.map((request, index) => ({ ...request, fd: fds[index] })), true);
    return fds;
  },
  release(fds) {
    native.tcpRelease(fds);
    frozen.release();
    for (const fd of fds) native.closeFd(fd);
  },
});
