/** Times on the command line: a number and a unit, 90s, 30m, 2h, 7d. */
import { InvalidArgumentError } from 'commander';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

/** What agents grant at most. */
const LONGEST_MS = 7 * 24 * 3600_000;

/** In milliseconds. */
export function parseHold(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS[unit ?? ''] ?? NaN));
  if (!(ms >= 1000 && ms <= LONGEST_MS))
    throw new InvalidArgumentError('not a time from 1s to 7d, as in 90s, 30m, 2h.');
  return ms;
}
