/**
 * One migration between two agents, the source's and a peer's, and the target host that got the source's ticket.
 * Source and target each send in a key and counter space of their own, both in the source's name; the peer's answers
 * check at either.
 */

import { z } from 'zod';
import { FLAG_TARGET } from './header';
import { deriveMoveKey, deriveRoleKey } from './keys';
import { ID_BYTES, KEY_ID_BYTES, type Carried, type MoveMessage, type MoveRole } from './messages';
import type { Pair } from './pair';
import { encodePayload } from './payload';
import { refuseSealed, seal, StampChecker, Stamper, type Refusal, type Sealed } from './seal';

const hexOf = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

/** All that the target host needs to speak to one peer in the source's name. */
export const moveTicketSchema = z.object({
  migration: hexOf(ID_BYTES),
  sourceId: hexOf(KEY_ID_BYTES),
  peerId: hexOf(KEY_ID_BYTES),
  /** The move key, 32 bytes: a secret, for the encrypted channel only. */
  key: hexOf(32),
});

export type MoveTicket = z.infer<typeof moveTicketSchema>;

export class Move {
  private readonly stamper: Stamper;
  private readonly checkers: ReadonlyMap<MoveRole, StampChecker>;

  constructor(
    readonly ticket: MoveTicket,
    readonly role: MoveRole,
    /** Above it the counters start; see Stamper. */
    counterBase = 0n,
  ) {
    const key = Buffer.from(ticket.key, 'hex');
    this.stamper = new Stamper(deriveRoleKey(key, role), counterBase);
    const others: MoveRole[] = role === 'peer' ? ['source', 'target'] : ['peer'];
    this.checkers = new Map(others.map((other) => [other, new StampChecker(deriveRoleKey(key, other))]));
  }

  get migration(): string {
    return this.ticket.migration;
  }

  seal(message: MoveMessage): Carried {
    const { sourceId, peerId, migration } = this.ticket;
    if (message.migration !== migration || this.answers(message.type) !== (this.role === 'peer')) {
      throw new RangeError(`not for the ${this.role} of this migration: ${message.type}`);
    }
    const flags = this.role === 'target' ? FLAG_TARGET : 0;
    const senderId = this.role === 'peer' ? peerId : sourceId;
    return seal(this.stamper, senderId, { type: message.type, flags }, encodePayload(message));
  }

  refuse(sealed: Sealed): Refusal | null {
    const checker = this.checkers.get(this.senderRole(sealed));
    return checker === undefined ? 'not authenticated' : refuseSealed(checker, sealed);
  }

  /** Who says that it sent this; true once `refuse` gave null. */
  senderRole({ header }: Sealed): MoveRole {
    if (this.answers(header.type)) return 'peer';
    return (header.flags & FLAG_TARGET) === 0 ? 'source' : 'target';
  }

  private answers(type: string): boolean {
    return type === 'resumed' || type === 'cancelled' || type === 'told';
  }
}

/** The ticket of a migration whose source is this agent. */
export function ticketAsSource(pair: Pair, migration: string): MoveTicket {
  const key = deriveMoveKey(pair.key, migration, pair.own.publicKey).toString('hex');
  return { migration, sourceId: pair.own.id, peerId: pair.peerId, key };
}

/** The same ticket, as the peer makes it. */
export function ticketAsPeer(pair: Pair, migration: string): MoveTicket {
  const key = deriveMoveKey(pair.key, migration, pair.peerPublicKey).toString('hex');
  return { migration, sourceId: pair.peerId, peerId: pair.own.id, key };
}

/** Above every counter that an agent on this host can have used before. */
export function freshCounter(): bigint {
  return BigInt(Date.now()) << 20n;
}
