/** Asks INTRODUCE: names connections between two addresses to an agent that has answered a HELLO there. */

import { randomBytes } from 'node:crypto';
import type { Sequences } from '../../../native/index';
import { INTRODUCE_ENTRIES, type Introduced, type Pair, splitIntoParts,
  type StatusEntry } from '../../../protocol/inband';
import { INTRODUCE_INTERVAL_MS } from '../../../times';
import type { Connection } from '../../../vocabulary/endpoint';
import { type AskedMigrations, entriesByToken } from '../asked-migrations';

export interface ToIntroduce {
  /** The connection with the addresses of the wire. */
  readonly connection: Connection;
  readonly token: string;
  readonly sequences: Sequences;
}

/** By token, what became of those that were answered for. All are between the same two addresses. */
export async function askIntroduce(
  migrations: AskedMigrations,
  group: string,
  pair: Pair,
  named: readonly ToIntroduce[],
  deadlineMs: number,
): Promise<Map<string, StatusEntry>> {
  const [first] = named;
  if (first === undefined) return new Map();
  const { local, remote } = first.connection;
  const addresses = { address: local.address, peerAddress: remote.address };
  const nonce = randomBytes(4).readUInt32BE();
  const entries = named.map(({ connection, token, sequences: { sndUna, rcvNxt } }) => ({
    token,
    port: connection.local.port,
    peerPort: connection.remote.port,
    sndUna,
    rcvNxt,
  }));
  const parts = splitIntoParts(entries, INTRODUCE_ENTRIES);
  const outcome = await migrations.converse<Introduced>(pair.peerId, group, {
    deadlineMs,
    firstIntervalMs: INTRODUCE_INTERVAL_MS,
    requests: parts.length,
    carriers: named.map(({ connection }) => connection),
    request: (part) => pair.seal({ type: 'introduce', group, nonce, ...addresses, ...parts[part]! }),
    onAnswer: (message, conversation) => {
      if (message.type === 'introduced' && message.nonce === nonce) conversation.accept(message.part, 0, 1, message);
    },
  });
  return entriesByToken(outcome);
}
