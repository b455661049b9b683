/** How facts are shown. What was asked for goes to stdout; what is said besides goes to stderr. */
import Table from 'cli-table3';
import type { ResumedPeer } from '../protocol/control/index';
import { connectionText } from '../vocabulary/endpoint';

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Says something on stderr, in migrun's name. */
export function note(text: string): void {
  process.stderr.write(`migrun: ${text}\n`);
}

/** A time, in one unit and to about one part in a hundred. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** The size of a file. */
export function size(bytes: number): string {
  return bytes < 10 * 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.ceil(bytes / 1024 / 1024)} MiB`;
}

/** "1 connection", "2 connections". */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

export function lostText({ connection, status }: ResumedPeer): string {
  return `lost: ${connectionText(connection)}: its peer did not follow (${status})`;
}

const LINES = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left',
  'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];

/** Columns without lines, as ps and ls print them. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({
    head: [...head],
    chars: { ...Object.fromEntries(LINES.map((line) => [line, ''])), middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push([...row]);
  for (const line of table.toString().split('\n')) printLine(line.trimEnd());
}
