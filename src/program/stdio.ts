/**
 * The two ends of a program's stdin, stdout and stderr: pipes, or one pseudo-terminal. The program has the near ends.
 * The far ends of pipes are the supervisor's, and init has them too, for whoever supervises the program next
 * (native/init/init.c); a terminal's far end, its master, is the supervisor's alone. What is known of the console at
 * them travels with the program.
 */

import { existsSync, readlinkSync, statSync } from 'node:fs';
import { z } from 'zod';
import { native } from '../native/index';
import { hexId } from '../protocol/control/index';
import { takeDescriptor } from './pidfds';

/** Init's descriptors of the far ends (native/init/init.c). */
const INIT_STDIN_WRITE = 4;
const INIT_STDOUT_READ = 5;
const INIT_STDERR_READ = 6;

export interface Terminal {
  readonly master: number;
  /** The slave as the program has it open, /dev/pts/<n>. */
  readonly path: string;
  rows: number;
  columns: number;
}

/**
 * The far ends, which are ours to close; stdin is missing once its end was given. "none": the program has a terminal,
 * and its master was lost with a supervisor.
 */
export type StdioEnds =
  | { readonly kind: 'pipes'; readonly stdin: number | undefined; readonly stdout: number; readonly stderr: number }
  | { readonly kind: 'terminal'; readonly terminal: Terminal }
  | { readonly kind: 'none' };

/** Makes both ends for a new program: a terminal where it is to have one, else pipes. Adds them to `near` and `far`. */
export function openStdio(
  terminal: { rows: number; columns: number } | undefined,
  near: number[],
  far: number[],
): StdioEnds {
  if (terminal !== undefined) {
    const opened = openTerminal(terminal.rows, terminal.columns);
    near.push(opened.slave, opened.slave, opened.slave);
    far.push(opened.terminal.master);
    return { kind: 'terminal', terminal: opened.terminal };
  }
  const [stdinRead, stdin] = native.pipePair();
  const [stdout, stdoutWrite] = native.pipePair();
  const [stderr, stderrWrite] = native.pipePair();
  near.push(stdinRead, stdoutWrite, stderrWrite);
  far.push(stdin, stdout, stderr);
  return { kind: 'pipes', stdin, stdout, stderr };
}

/** The far ends of a program without a terminal, from init, which closes its end of stdin when the input has ended. */
export function takePipes(initPid: number): StdioEnds {
  const stdinOpen = existsSync(`/proc/${initPid}/fd/${INIT_STDIN_WRITE}`);
  return {
    kind: 'pipes',
    stdin: stdinOpen ? takeDescriptor(initPid, INIT_STDIN_WRITE) : undefined,
    stdout: takeDescriptor(initPid, INIT_STDOUT_READ),
    stderr: takeDescriptor(initPid, INIT_STDERR_READ),
  };
}

/** Opens a terminal; the slave is the caller's to close. */
export function openTerminal(rows: number, columns: number): { terminal: Terminal; slave: number } {
  const { master, slave } = native.openPty(rows, columns);
  return { terminal: { master, path: readlinkSync(`/proc/self/fd/${slave}`), rows, columns }, slave };
}

/** The name by which CRIU knows a terminal (criu/tty.c): tty[rdev:dev], in hexadecimal. */
export function criuKeyOf({ path }: Terminal): string {
  const { rdev, dev } = statSync(path);
  return `tty[${rdev.toString(16)}:${dev.toString(16)}]`;
}

const outputState = z.object({
  acknowledged: z.int().nonnegative(),
  unacknowledged: z.instanceof(Uint8Array),
  ended: z.boolean(),
});

/** What travels when the program stands still, so that no byte is lost or repeated. */
export const consoleState = z.object({
  token: hexId,
  stdout: outputState,
  stderr: outputState,
  received: z.int().nonnegative(),
  inputEnded: z.boolean(),
});
export type ConsoleState = z.infer<typeof consoleState>;
