/** How a commit ended to which there was no answer: the source asks the agent of the target host. */
import type { Config } from '../../config';
import type { Outcome } from '../../program/journal';
import { connectToAgent, expectType } from '../../protocol/control/index';

const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 5_000;

/** A host, and the port of its agent. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Resolves once the target's agent has answered. Till then the program stays frozen here: it may be running there, and
 * two copies must never run.
 */
export async function awaitOutcome(config: Config, to: Address, migration: string): Promise<Outcome> {
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
    try {
      const { channel } = await connectToAgent(config, to);
      try {
        const answer = await channel.request({ type: 'ask-outcome', migration }, { timeoutMs: LAST_PAUSE_MS });
        return expectType(answer, 'outcome-is').outcome;
      } finally {
        channel.destroy();
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
