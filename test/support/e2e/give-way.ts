/**
 * Programs that take all the CPU there is, on hosts that share what there is: whatever moves them is to get some. Where
 * sessions are scheduled as groups (sched(7), autogroup), nice(1) counts within one only, and a restored program's
 * session is a new one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupsOf } from './lab.js';

const NICE = '5';

/** This command, giving way from its start. To be wrapped, which gives it a session of its own, or run by setsid(1). */
export function givingWay(command: readonly string[]): string[] {
  return ['sh', '-c', `{ echo ${NICE} >/proc/self/autogroup; } 2>/dev/null; exec nice -n ${NICE} "$@"`, 'sh',
    ...command];
}

/** A wrapped program, after each move. */
export function giveWay(id: string): void {
  for (const cgroup of cgroupsOf(id)) {
    for (const pid of pidsOf(cgroup)) lowerSession(pid);
  }
}

function pidsOf(cgroup: string): string[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  } catch {
    return []; // the host that the program left has removed it
  }
}

function lowerSession(pid: string): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, NICE);
  } catch {
    // The kernel has no such groups, or the process has ended.
  }
}
