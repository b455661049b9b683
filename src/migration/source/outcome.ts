/** How a commit ended to which there was no answer: the source asks the agent of the target host. */
import type { Config } from '../../config';
import type { Outcome } from '../../program/journal';
import { connectToAgent, expectType } from '../../protocol/control/index';
import { LONGEST_OUTCOME_INTERVAL_MS, OUTCOME_INTERVAL_MS, OUTCOME_TIMEOUT_MS } from '../../times';

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
  for (let waitMs = OUTCOME_INTERVAL_MS;; waitMs = Math.min(waitMs * 2, LONGEST_OUTCOME_INTERVAL_MS)) {
    try {
      const { channel } = await connectToAgent(config, to);
      try {
        const answer = await channel.request({ type: 'ask-outcome', migration }, { timeoutMs: OUTCOME_TIMEOUT_MS });
        return expectType(answer, 'outcome-is').outcome;
      } finally {
        channel.destroy();
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
