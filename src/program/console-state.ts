/** How far a program's console has come when the program stands still: what travels, so that no byte is lost or repeated. */
import { z } from 'zod';
import { hexId } from '../protocol/control/index';

const keptOutput = z.object({
  acknowledged: z.int().nonnegative(),
  kept: z.instanceof(Uint8Array),
  ended: z.boolean(),
});

export const consoleState = z.object({
  token: hexId,
  stdout: keptOutput,
  stderr: keptOutput,
  received: z.int().nonnegative(),
  inputEnded: z.boolean(),
});
export type ConsoleState = z.infer<typeof consoleState>;
