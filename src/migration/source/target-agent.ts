/** The agent of the target host: a source opens its channel through it, and asks it how a commit without an answer ended. */
import { hostname } from 'node:os';
import type { Config } from '../../config';
import { connect, type Connected, readClusterKey } from '../../protocol/channel/index';
import { expectType, type HostMessage, hostMessage } from '../../protocol/control/index';
import { VERSION } from '../../version';
import type { Outcome } from '../journal';

const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 5_000;

/** A host, and the port of its agent. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export function connectToAgent(config: Config, { host, port }: Address): Promise<Connected<HostMessage>> {
  const identity = { version: VERSION, host: hostname() };
  return connect({ host, port, key: readClusterKey(config.clusterKeyFile), identity, schema: hostMessage });
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
