import { setImmediate as turn } from 'node:timers/promises';

/** Waits for something that no event tells of; a test's own time limit ends it where it never comes. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}
