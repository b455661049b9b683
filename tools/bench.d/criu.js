'use strict';

/** CRIU's command line, timed, on a host of the lab; and the end of what it made. */

const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { cgroupRoot } = require('../../dist/config');
const { nothingWithin } = require('../demo.d/evidence');

/** How long a command takes on a host, in milliseconds, started by a shell in this cgroup. Its failure has the errors of its log. */
async function timed(lab, host, cgroup, log, command) {
  const script =
    `echo $$ >${cgroup}/cgroup.procs; from=$EPOCHREALTIME; ${command} >&2 </dev/null || { status=$?; grep Error ${log} >&2; exit $status; }; echo $from $EPOCHREALTIME; echo $$ >${cgroupRoot()}/cgroup.procs`;
  const [from, to] = (await lab.run(host, 'bash', '-c', script)).split(' ').map(Number);
  return (to - from) * 1000;
}

/** All processes of a cgroup, where it is still there. */
async function kill(cgroup) {
  if (!existsSync(cgroup)) return;
  writeFileSync(join(cgroup, 'cgroup.kill'), '1');
  const left = await nothingWithin(
    5_000,
    () => (existsSync(cgroup) ? readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean) : []),
  );
  if (left.length > 0) throw new Error(`still in ${cgroup}: ${left.join(' ')}`);
}

module.exports = { kill, timed };
