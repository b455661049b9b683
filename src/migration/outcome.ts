/** A source that got no answer to its commit asks the target's agent how it ended, until it knows. */
import type { Config } from '../config';
import type { Outcome } from '../program/journal';
import { connectToAgent, expectType } from '../protocol/control/index';

const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 5_000;

/**
 * Resolves once the target's agent has answered. Till then the program stays frozen here: it may be running there, and
 * two copies must never run.
 */
export async function awaitOutcome(
  config: Config,
  to: { host: string; port: number },
  migration: string,
): Promise<Outcome> {
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
    try {
      const { channel } = await connectToAgent(config, to);
      try {
        return expectType(
          await channel.request({ type: 'ask-outcome', migration }, { timeoutMs: LAST_PAUSE_MS }),
          'outcome-is',
        ).outcome;
      } finally {
        channel.destroy();
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
