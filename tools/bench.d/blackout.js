'use strict';

/**
 * The blackout that a client sees, against CRIU alone: in each run a server moves from hostA to hostB, and is there
 * dumped, killed and restored by CRIU's command line with the options that migrun gives it.
 */

const { readdirSync, rmdirSync } = require('node:fs');
const { join } = require('node:path');
const { cgroupRoot, loadConfig } = require('../../dist/config');
const { native } = require('../../dist/native/index');
const { initDirectoryOf } = require('../../dist/program/init-directory');
const { innerPid, pidsOf } = require('../../dist/program/pod');
const { longestGap, more, now } = require('../demo.d/numbers');
const { kill, timed } = require('./criu');
const { startAgents } = require('./network');
const { makeCgroup } = require('./pod');
const { median, summary } = require('./stats');

const PER_SECOND = 1000;
const FIRST_PORT = 5000;
const OPTIONS = '--tcp-close --network-lock skip --manage-cgroups=ignore --file-locks -v2 -o criu.log';

async function blackout(lab, { runs }) {
  await startAgents(lab, ['hostA', 'hostB', 'hostC']);
  const samples = [];
  for (let run = -1; run < runs; run++) {
    const sample = await oneRun(lab, FIRST_PORT + run + 1);
    if (run >= 0) samples.push(sample); // the first one fills CRIU's cache on each host
  }
  const of = (name) => samples.map((sample) => sample[name]);
  const criu = samples.map(({ dump, restore }) => dump + restore);
  const phases = samples[0].phases.map((
    { name },
    step,
  ) => [name, median(samples.map((sample) => sample.phases[step].ms))]);
  return [
    {
      what: 'blackout, as the client sees it',
      unit: 'ms',
      ours: summary(of('blackout')),
      theirs: { what: 'criu dump + criu restore', ...summary(criu) },
      ratios: summary(of('blackout').map((ms, run) => ms / criu[run])),
      target: { ratio: 1.5 },
      phases,
    },
    { what: 'blackout, in itself', unit: 'ms', ours: summary(of('blackout')), target: { atMost: 60 } },
  ];
}

async function oneRun(lab, port) {
  const server = lab.start('hostA', 'migrun', '--', 'count_server', String(port), String(PER_SECOND));
  const [, id] = await server.says(/^migrun: program ([0-9a-f]+)$/);
  await server.says(/^listening on/);
  const client = lab.start('hostC', 'migrun', 'run', '-q', '--', 'count_client', '-t', 'hostA', String(port));
  await more(client, PER_SECOND / 2);
  const since = now();
  const { phases } = JSON.parse(await lab.run('hostA', 'migrun', 'migrate', id, '--to', 'hostB', '--json'));
  await more(client, PER_SECOND / 2);
  const { ms } = longestGap(client, since);
  const cgroup =
    readdirSync(cgroupRoot()).filter((name) => name.startsWith(`${id}-`)).map((name) => join(cgroupRoot(), name))[0];
  const bare = await dumpAndRestore(lab, id, cgroup);
  await Promise.all([server.ended, client.ended]);
  return { blackout: ms - 1000 / PER_SECOND, phases, ...bare };
}

/** Times CRIU alone on hostB, where the program is now. Neither its connection nor the program outlives this. */
async function dumpAndRestore(lab, id, cgroup) {
  const { criu } = loadConfig();
  const pid = pidsOf(cgroup).find((one) => innerPid(one) === 1);
  const images = `/run/bench-${pid}`;
  const stay = makeCgroup(pid);
  const directory = initDirectoryOf(id);
  try {
    // The directory that CRIU makes init enter again has something in it, so it outlives migrun's program.
    await lab.run('hostB', 'mkdir', images, join(directory, 'wanted'));
    // The cgroup is frozen before, as in a migration: where CRIU freezes one itself, it looks only every 100 ms whether
    // it is.
    native.cgroupFreeze(cgroup, 1_000);
    const log = join(images, 'criu.log');
    const dump = await timed(
      lab,
      'hostB',
      cgroupRoot(),
      log,
      `${criu} dump -t ${pid} -D ${images} ${OPTIONS} --freeze-cgroup ${cgroup} --leave-running`,
    );
    await kill(cgroup);
    const restore = await timed(lab, 'hostB', stay, log, `${criu} restore -d -D ${images} ${OPTIONS}`);
    await lab.run('hostB', 'rm', '-r', images, directory);
    return { dump, restore };
  } finally {
    await kill(stay);
    rmdirSync(stay);
  }
}

module.exports = { blackout };
