/** What is given on the command line, as values. */
import { InvalidArgumentError } from 'commander';
import { toPort } from '../config';
import { LONGEST_HOLD_MS, SHORTEST_HOLD_MS } from '../times';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

/** Milliseconds out of a number with a unit, as in 90s, 30m, 2h, 7d. */
export function parseHold(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS[unit ?? ''] ?? NaN));
  if (!(ms >= SHORTEST_HOLD_MS && ms <= LONGEST_HOLD_MS))
    throw new InvalidArgumentError('not a time from 1s to 7d, as in 90s, 30m, 2h.');
  return ms;
}

export function parsePort(text: string): number {
  const port = toPort(text);
  if (port === undefined) throw new InvalidArgumentError('not a port.');
  return port;
}

/** A program's id, all of it. */
export function parseId(text: string): string {
  if (!/^[0-9a-f]{8}$/.test(text)) throw new InvalidArgumentError("not a program's id.");
  return text;
}
