/** What of a program's console moves with it (migration/state.ts), besides its token. */
import type { ConsoleState } from '../program/console-state';

export type OutputName = 'stdout' | 'stderr';
export type StdioState = Omit<ConsoleState, 'token'>;
export type KeptOutput = StdioState[OutputName];

export const NO_OUTPUT: KeptOutput = { acknowledged: 0, kept: new Uint8Array(), ended: false };

export function freshStdioState(): StdioState {
  return { stdout: { ...NO_OUTPUT }, stderr: { ...NO_OUTPUT }, received: 0, inputEnded: false };
}
