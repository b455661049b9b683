/**
 * Timers of timerfd_create(2) that were set to a point in time. CRIU 4.2 restores one by adding the seconds of the time
 * that is now, without their fraction, to the time that was left (timerfd_arm() in criu/pie/restorer.c): it ends up to a
 * second early. So they are set again, before the program runs.
 */
import { readFileSync } from 'node:fs';
import { native } from '../native/index';
import { descriptorsTo } from '../program/descriptors';
import { RestoredDescriptors } from './restored-descriptors';
import type { MovingTimer } from './state';

const TFD_TIMER_ABSTIME = 1;
const SECOND = 1_000_000_000n;

/** What /proc/<pid>/timens_offsets calls each clock that has one: MONOTONIC, BOOTTIME, BOOTTIME_ALARM. */
const OFFSETS = new Map([
  [1, 'monotonic'],
  [7, 'boottime'],
  [9, 'boottime'],
]);

/** Of a program that stands still: inner pids by pid. Those that have ended or were never set are as CRIU restores them. */
export function absoluteTimers(innerPids: ReadonlyMap<number, number>): MovingTimer[] {
  return [...innerPids].flatMap(([pid, innerPid]) =>
    descriptorsTo(pid, 'anon_inode:[timerfd]').flatMap((fd) => {
      const timer = parseTimer(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
      if ((timer.flags & TFD_TIMER_ABSTIME) === 0 || timer.left === 0n) return [];
      const { clock, flags, expirations, interval, left } = timer;
      const end = native.clockNow(clock) + left + ahead(pid, clock);
      return [{
        innerPid,
        fd,
        clock,
        flags,
        expirations: String(expirations),
        interval: String(interval),
        end: String(end),
      }];
    })
  );
}

/** Of the restored program, before its first instruction. */
export function setTimers(timers: readonly MovingTimer[], cgroup: string): void {
  if (timers.length === 0) return;
  const restored = new RestoredDescriptors(cgroup);
  try {
    for (const timer of timers) {
      const found = restored.find(timer);
      const pid = restored.pidOf(timer);
      if (found === undefined || pid === undefined) continue;
      const { flags, clock, end, interval, expirations } = timer;
      native.setTimer(found, {
        flags,
        end: BigInt(end) - ahead(pid, clock),
        interval: BigInt(interval),
        expirations: BigInt(expirations),
      });
    }
  } finally {
    restored.close();
  }
}

/** How far a process's clock is ahead of ours. */
function ahead(pid: number, clock: number): bigint {
  const name = OFFSETS.get(clock);
  return name === undefined ? 0n : offsetOf(pid, name) - offsetOf('self', name);
}

/** Both parts have their sign (proc_timens_show_offsets() in kernel/time/namespace.c: seconds may be negative, nanoseconds are not). */
function offsetOf(pid: number | 'self', name: string): bigint {
  const [, seconds = '0', nanoseconds = '0'] =
    new RegExp(`^${name}\\s+(-?\\d+)\\s+(\\d+)$`, 'm').exec(readFileSync(`/proc/${pid}/timens_offsets`, 'utf8')) ?? [];
  return BigInt(seconds) * SECOND + BigInt(nanoseconds);
}

interface TimerFact {
  readonly clock: number;
  readonly flags: number;
  readonly expirations: bigint;
  readonly interval: bigint;
  readonly left: bigint;
}

/** timerfd_show() in fs/timerfd.c. */
function parseTimer(text: string): TimerFact {
  const number = (name: string, radix = ''): bigint =>
    BigInt(radix + (new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? '0'));
  const time = (name: string): bigint => {
    const [, seconds = '0', nanoseconds = '0'] = new RegExp(`^${name}: \\((\\d+), (\\d+)\\)$`, 'm').exec(text) ?? [];
    return BigInt(seconds) * SECOND + BigInt(nanoseconds);
  };
  return {
    clock: Number(number('clockid')),
    flags: Number(number('settime flags', '0o')),
    expirations: number('ticks'),
    interval: time('it_interval'),
    left: time('it_value'),
  };
}
