/**
 * One migration between two agents, the source's and a peer's, and the target host that got the source's ticket.
 * Source and target each send in a key and counter space of their own, both in the source's name; the peer's answers
 * check at either.
 *
 * A checkpoint's ticket may come to several targets, one after the other or at once, whose clocks differ: each has an
 * id, a key and counters of its own, or what one has said would make a repetition of what another says.
 */

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { BoundedMap } from './bounded-map';
import { deriveMoveKey, deriveRoleKey, deriveTargetKey } from './keys';
import { type Carried, ID_BYTES, KEY_ID_BYTES, type MoveMessage, type MoveRole, TARGET_ID_BYTES } from './messages';
import type { Pair } from './pair';
import { encodePayload } from './payload';
import { type Refusal, refuseSealed, seal, type Sealed, StampChecker, Stamper } from './seal';
import { FLAG_TARGET, type Header } from './wire';

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

/**
 * So many targets are remembered. The one that was silent for longest is forgotten first; then its messages could be
 * repeated.
 */
const MAX_TARGETS = 64;

export class Move {
  private readonly stamper: Stamper;
  private readonly key: Buffer;
  /** The id that it speaks with as a target. */
  private readonly target = randomBytes(TARGET_ID_BYTES).toString('hex');
  private readonly checkers: ReadonlyMap<MoveRole, StampChecker>;
  /** The targets that have shown to us, their peer, that they have the ticket; by their ids. */
  private readonly targets = new BoundedMap<string, StampChecker>(MAX_TARGETS);

  constructor(
    readonly ticket: MoveTicket,
    readonly role: MoveRole,
    /** The counters start above it (Stamper). */
    counterBase = 0n,
  ) {
    this.key = Buffer.from(ticket.key, 'hex');
    this.stamper = new Stamper(
      role === 'target' ? deriveTargetKey(this.key, this.target) : deriveRoleKey(this.key, role),
      counterBase,
    );
    const other = role === 'peer' ? 'source' : 'peer';
    this.checkers = new Map([[other, new StampChecker(deriveRoleKey(this.key, other))]]);
  }

  get migration(): string {
    return this.ticket.migration;
  }

  seal(message: MoveMessage): Carried {
    const { sourceId, peerId, migration } = this.ticket;
    if (message.migration !== migration || this.answers(message.type) !== (this.role === 'peer')) {
      throw new RangeError(`not for the ${this.role} of this migration: ${message.type}`);
    }
    const { type } = message;
    const header: Header = this.role === 'target'
      ? { type, flags: FLAG_TARGET, target: this.target }
      : { type, flags: 0 };
    return seal(this.stamper, this.role === 'peer' ? peerId : sourceId, header, encodePayload(message));
  }

  refuse(sealed: Sealed): Refusal | null {
    const { target } = sealed.header;
    if (this.role === 'peer' && target !== undefined) return this.refuseTarget(target, sealed);
    const checker = this.checkers.get(this.senderRole(sealed));
    return checker === undefined ? 'not authenticated' : refuseSealed(checker, sealed);
  }

  /** Who says that it sent this; true once `refuse` gave null. */
  senderRole({ header }: Sealed): MoveRole {
    if (this.answers(header.type)) return 'peer';
    return header.target === undefined ? 'source' : 'target';
  }

  private refuseTarget(target: string, sealed: Sealed): Refusal | null {
    const checker = this.targets.get(target) ?? new StampChecker(deriveTargetKey(this.key, target));
    const refusal = refuseSealed(checker, sealed);
    if (refusal === null) this.targets.set(target, checker);
    return refusal;
  }

  private answers(type: string): boolean {
    return type === 'resumed' || type === 'cancelled' || type === 'held';
  }
}

/** The ticket of a migration whose source is this agent. */
export function ticketAsSource(pair: Pair, migration: string): MoveTicket {
  const key = deriveMoveKey(pair.key, migration, pair.own.publicKey).toString('hex');
  return { migration, sourceId: pair.own.id, peerId: pair.peerId, key };
}

/** Makes at the peer the ticket that the source has made. */
export function ticketAsPeer(pair: Pair, migration: string): MoveTicket {
  const key = deriveMoveKey(pair.key, migration, pair.peerPublicKey).toString('hex');
  return { migration, sourceId: pair.peerId, peerId: pair.own.id, key };
}

/** Above every counter that an agent on this host can have used before. */
export function freshCounter(): bigint {
  return BigInt(Date.now()) << 20n;
}
