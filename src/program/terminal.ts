/** A program's terminal: a pseudo-terminal whose master the supervisor holds. */
import { readlinkSync, statSync } from 'node:fs';
import { native } from '../native/index';

export interface Terminal {
  readonly master: number;
  /** The slave as the program has it open, /dev/pts/<n>. */
  readonly path: string;
  rows: number;
  columns: number;
}

/** Opens one; the slave is the caller's to close. */
export function openTerminal(rows: number, columns: number): { terminal: Terminal; slave: number } {
  const { master, slave } = native.openPty(rows, columns);
  return { terminal: { master, path: readlinkSync(`/proc/self/fd/${slave}`), rows, columns }, slave };
}

/** CRIU's name of it (criu/tty.c): tty[rdev:dev], in hexadecimal. */
export function criuKeyOf({ path }: Terminal): string {
  const { rdev, dev } = statSync(path);
  return `tty[${rdev.toString(16)}:${dev.toString(16)}]`;
}
