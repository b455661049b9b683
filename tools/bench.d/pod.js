'use strict';

/** What a pod is besides the shim: a cgroup, a PID namespace and a session of its own; for programs without migrun. */

const { existsSync, mkdirSync, readdirSync, rmdirSync } = require('node:fs');
const { join } = require('node:path');
const { cgroupRoot } = require('../../dist/config');

const prefix = `bench-${process.pid}-`;

function makeCgroup(name) {
  const folder = join(cgroupRoot(), `${prefix}${name}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Whatever is left of ours, once nothing runs in it any more. */
function removeCgroups() {
  if (!existsSync(cgroupRoot())) return;
  for (const name of readdirSync(cgroupRoot()).filter((one) => one.startsWith(prefix)))
    rmdirSync(join(cgroupRoot(), name));
}

/** Runs a command as PID 1 of the namespace; unshare itself stays, in the same cgroup. */
function inPod(cgroup, command) {
  return ['bash', '-c', 'echo 0 >"$0/cgroup.procs"; exec unshare --pid --fork setsid "$@"', cgroup, ...command];
}

module.exports = { inPod, makeCgroup, removeCgroups };
