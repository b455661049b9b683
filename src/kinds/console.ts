/**
 * The console: where the program's input and output have got to, and its terminal, whose master is the supervisor's
 * alone. CRIU gives the program the target's terminal in place of the one that it had.
 */
import { z } from 'zod';
import { native } from '../native/index';
import { consoleState, criuKeyOf, openTerminal, type Terminal } from '../program/stdio';
import type { Reason } from '../vocabulary/refusal';
import { type Arriving, defineTravellingKind, type Facts } from './kind';

const size = z.object({ rows: z.int(), columns: z.int() });
const wanted = size.extend({ /** CRIU's name of it. */ key: z.string() }).nullable();
type Wanted = z.infer<typeof wanted>;

const schema = z.object({ console: consoleState, terminal: size.nullable() });
type Saved = z.infer<typeof schema>;
type SavedByKind = Readonly<Record<string, unknown>>;

const nothing = { acknowledged: 0, unacknowledged: new Uint8Array(), ended: false };
const practice: Saved = {
  console: { token: '0'.repeat(32), stdout: nothing, stderr: nothing, received: 0, inputEnded: false },
  terminal: null,
};

/** Gives where the console of a program that has arrived goes on. */
export function consoleOf(all: SavedByKind): Saved {
  return all['console'] as Saved;
}

export const console = defineTravellingKind({
  name: 'console',

  needs: {
    schema: wanted,
    of({ terminal }: Facts): Wanted {
      if (terminal === undefined) return null;
      return { key: criuKeyOf(terminal), rows: terminal.rows, columns: terminal.columns };
    },
    judge: (): Reason[] => [],
  },

  saved: { schema, practice },

  leave: ({ program }) => {
    const { terminal } = program;
    let isFrozen = false;
    return {
      take() {
        program.freezeConsole();
        isFrozen = true;
      },
      external: () => (terminal === undefined ? [] : [criuKeyOf(terminal)]),
      state: (): Saved => ({
        console: program.consoleState(),
        terminal: terminal === undefined ? null : { rows: terminal.rows, columns: terminal.columns },
      }),
      putBack() {
        if (isFrozen) program.thawConsole();
        isFrozen = false;
      },
    };
  },

  arrive: (): Arriving<Wanted, Saved> => {
    let opened: { terminal: Terminal; slave: number } | undefined;
    return {
      ready(wanted) {
        if (wanted === null) return [];
        opened = openTerminal(wanted.rows, wanted.columns);
        return [{ key: wanted.key, fd: opened.slave }];
      },
      stdio: () => (opened === undefined ? undefined : { kind: 'terminal', terminal: opened.terminal }),
      finish() {
        if (opened !== undefined) native.closeFd(opened.slave);
      },
      abandon() {
        if (opened !== undefined) native.closeFd(opened.terminal.master);
      },
    };
  },
});
