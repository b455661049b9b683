/** Asks INTRODUCE: names connections between two addresses to an agent that has answered a HELLO there. */

import { randomBytes } from 'node:crypto';
import type { Sequences } from '../../../native/contract';
import { Conversation, INTRODUCE_ENTRIES, splitIntoParts } from '../../../protocol/inband';
import type { Introduced, Pair, Status } from '../../../protocol/inband';
import { INTRODUCE_INTERVAL_MS } from '../../../times';
import type { Connection } from '../../../vocabulary/endpoint';
import type { Host } from '../host';
import type { Segments } from '../segments';

export interface ToIntroduce {
  /** As it is on the wire. */
  readonly connection: Connection;
  readonly token: string;
  readonly sequences: Sequences;
}

export class IntroduceAsker {
  private readonly running = new Map<string, Conversation<Introduced>>();
  private closed = false;

  constructor(private readonly host: Host, private readonly segments: Segments) {}

  /** By token, what became of those that were answered for. All are between the same two addresses. */
  async introduce(
    group: string,
    pair: Pair,
    named: readonly ToIntroduce[],
    deadlineMs: number,
  ): Promise<Map<string, Status>> {
    const [first] = named;
    if (first === undefined || this.closed) return new Map();
    const carriers = named.map(({ connection }) => connection);
    const nonce = randomBytes(4).readUInt32BE();
    const parts = splitIntoParts(named, INTRODUCE_ENTRIES);
    const addresses = { address: first.connection.local.address, peerAddress: first.connection.remote.address };
    const conversation = new Conversation<Introduced>({
      clock: this.host.clock,
      deadlineMs,
      firstIntervalMs: INTRODUCE_INTERVAL_MS,
      requests: parts.length,
      transmit: (part) => {
        const entries = (parts[part]?.entries ?? []).map(
          ({ connection: { local, remote }, token, sequences: { sndUna, rcvNxt } }) => ({
            token,
            port: local.port,
            peerPort: remote.port,
            sndUna,
            rcvNxt,
          })
        );
        this.segments.sendOnOne(
          pair.seal({ type: 'introduce', group, nonce, ...addresses, part, parts: parts.length, entries }),
          carriers,
        );
      },
    });
    const name = conversationName(pair, { group, nonce });
    this.running.set(name, conversation);
    const { answers } = await conversation.start().outcome.finally(() => this.running.delete(name));
    return new Map(answers.flat().flatMap(({ entries }) => entries.map(({ token, status }) => [token, status])));
  }

  onIntroduced(message: Introduced, pair: Pair): void {
    this.running.get(conversationName(pair, message))?.accept(message.part, 0, 1, message);
  }

  close(): void {
    this.closed = true;
    for (const conversation of this.running.values()) conversation.stop();
  }
}

function conversationName({ peerId }: Pair, { group, nonce }: { group: string; nonce: number }): string {
  return `${peerId} ${group} ${nonce}`;
}
