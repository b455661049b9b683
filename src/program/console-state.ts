/** How far a program's console has come when the program stands still: what travels, so that no byte is lost or repeated. */
import { z } from 'zod';
import { hexId } from '../protocol/control/index';

const outputState = z.object({
  acknowledged: z.int().nonnegative(),
  unacknowledged: z.instanceof(Uint8Array),
  ended: z.boolean(),
});

export const consoleState = z.object({
  token: hexId,
  stdout: outputState,
  stderr: outputState,
  received: z.int().nonnegative(),
  inputEnded: z.boolean(),
});
export type ConsoleState = z.infer<typeof consoleState>;
