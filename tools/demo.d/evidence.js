'use strict';

/** What the kernel says about a program on the lab's hosts. */

const { readFileSync, readdirSync, statSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

/** Every TCP socket of a host that has `port` at either end, in whatever state, as `ss` gives it. */
async function socketsOf(lab, host, port) {
  const lines = await lab.run(host, 'ss', '-Htan', `( sport = :${port} or dport = :${port} )`);
  return lines.split('\n').filter(Boolean).map((line) => {
    const [state, , , local, remote] = line.trim().split(/\s+/);
    return { state, local, remote };
  });
}

/** The one established connection with `port` that a host has, "local -> remote"; undefined: none, or several. */
async function connectionOn(lab, host, port) {
  const established = (await socketsOf(lab, host, port)).filter(({ state }) => state === 'ESTAB');
  return established.length === 1 ? `${established[0].local} -> ${established[0].remote}` : undefined;
}

/** Packet filter rules of a host. */
async function rulesOf(lab, host) {
  return (await lab.run(host, 'nft', 'list', 'ruleset')).split('\n').filter(Boolean);
}

/** Processes on a host that belong to a program: they are in its cgroup, or bear its name. */
function processesOf(lab, host, { id, name }) {
  const network = statSync(lab.namespace(host, 'net')).ino;
  return readdirSync('/proc').filter((pid) => {
    try {
      if (!/^\d+$/.test(pid) || statSync(`/proc/${pid}/ns/net`).ino !== network) return false;
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name
        || readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/migrun/${id}`);
    } catch {
      return false; // it ended
    }
  });
}

/** The program's cgroups in which there is no process of the host that it is on. */
function cgroupsLeft(lab, cgroupRoot, program, host) {
  const living = new Set(processesOf(lab, host, program));
  return readdirSync(cgroupRoot).filter((name) => {
    if (!name.startsWith(program.id)) return false;
    return !readFileSync(join(cgroupRoot, name, 'cgroup.procs'), 'utf8').split('\n').some((pid) => living.has(pid));
  });
}

/** Looks until `look` gives an empty list or the time is over; resolves with the last list. The end of a killed process takes the kernel a moment. */
async function nothingWithin(ms, look) {
  const deadline = Date.now() + ms;
  for (;;) {
    const left = await look();
    if (left.length === 0 || Date.now() > deadline) return left;
    await pause(20);
  }
}

module.exports = { cgroupsLeft, connectionOn, nothingWithin, processesOf, rulesOf, socketsOf };
