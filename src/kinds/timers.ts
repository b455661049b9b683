/**
 * Timers of timerfd_create(2) that were set to a point in time. CRIU 4.2 restores one by adding the seconds of the time
 * that is now, without their fraction, to the time that was left (timerfd_arm() in criu/pie/restorer.c): it ends up to
 * a second early. So they are set again, before the program runs.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { native } from '../native/index';
import { descriptorsTo } from '../program/descriptors';
import { place } from '../vocabulary/place';
import { defineTravellingKind } from './kind';

const TFD_TIMER_ABSTIME = 1;
const SECOND = 1_000_000_000n;

/** What /proc/<pid>/timens_offsets calls each clock that has one: MONOTONIC, BOOTTIME, BOOTTIME_ALARM. */
const OFFSETS = new Map([
  [1, 'monotonic'],
  [7, 'boottime'],
  [9, 'boottime'],
]);

/** Nanoseconds: a 64-bit number, which MessagePack has no JavaScript number for. */
const int64 = z.string().regex(/^\d{1,19}$/).refine((digits) => BigInt(digits) < 2n ** 63n);

/** A timer that travels. Its end is a time of the timer's clock, as the program's time namespace has it. */
const timer = place.extend({
  clock: z.int().nonnegative(),
  flags: z.int().nonnegative(),
  expirations: int64,
  end: int64,
  interval: int64,
});
type MovingTimer = z.infer<typeof timer>;

export const timers = defineTravellingKind({
  name: 'timers',

  saved: {
    schema: z.array(timer),
    practice: [{ innerPid: 1, fd: 0, clock: 0, flags: 0, expirations: '0', end: '0', interval: '0' }],
  },

  leave: () => {
    let found: MovingTimer[] = [];
    return { read: ({ innerPids }) => void (found = absoluteTimers(innerPids)), state: () => found };
  },

  arrive: () => ({
    settle(saved, { descriptors }) {
      for (const { flags, clock, end, interval, expirations, ...at } of saved) {
        const fd = descriptors.find(at);
        const pid = descriptors.pidOf(at);
        if (fd === undefined || pid === undefined) continue;
        native.setTimer(fd, {
          flags,
          end: BigInt(end) - ahead(pid, clock),
          interval: BigInt(interval),
          expirations: BigInt(expirations),
        });
      }
    },
  }),
});

/** Gives the timers that run and were set to a point in time. The others are right as CRIU restores them. */
function absoluteTimers(innerPids: ReadonlyMap<number, number>): MovingTimer[] {
  return [...innerPids].flatMap(([pid, innerPid]) =>
    descriptorsTo(pid, 'anon_inode:[timerfd]').flatMap((fd) => {
      const timer = parseTimer(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
      if ((timer.flags & TFD_TIMER_ABSTIME) === 0 || timer.left === 0n) return [];
      const { clock, flags, expirations, interval, left } = timer;
      const end = String(native.clockNow(clock) + left + ahead(pid, clock));
      return [{ innerPid, fd, clock, flags, expirations: String(expirations), interval: String(interval), end }];
    })
  );
}

/** How far a process's clock is ahead of ours. */
function ahead(pid: number, clock: number): bigint {
  const name = OFFSETS.get(clock);
  return name === undefined ? 0n : offsetOf(pid, name) - offsetOf('self', name);
}

/**
 * Seconds may be negative, nanoseconds are not (proc_timens_show_offsets() in kernel/time/namespace.c): the sum has the
 * right sign.
 */
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

/** Parses what timerfd_show() in fs/timerfd.c prints. */
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
