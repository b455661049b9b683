/**
 * All keys of an agent, and the one way in: `receive` believes a segment or counts why not.
 *
 * What strangers can make it keep is bounded: pairs that have proved nothing are in a small map of their own, so that
 * a flood of made-up keys cannot push out an agent that has shown it holds its key.
 */

import type { Connection } from '../../vocabulary/endpoint';
import { BoundedMap } from './bounded-map';
import { decodeHello, decodeWelcome, encodeHello } from './handshake';
import { generateKeyPair, keyId, type KeyPair } from './keys';
import type { Carried, Hello, MessageType, MoveMessage, MoveRole, PairMessage, Welcome } from './messages';
import { Move, type MoveTicket, ticketAsPeer, ticketAsSource } from './move';
import { Pair } from './pair';
import { decodePayload, isSealedType, migrationOf } from './payload';
import { decodeSealed, type Sealed } from './seal';
import { decodeHeader, MalformedMessage, OtherVersion, Reader } from './wire';

const MAX_PROVED_PAIRS = 4096;
const MAX_STRANGERS = 256;
const MAX_MOVES = 1024;

/** Why a segment is ignored. */
export const DROP_REASONS = ['malformed', 'other version', 'unexpected', 'unknown sender', 'unknown migration',
  'not authenticated', 'replayed'] as const;

/** unexpected: a WELCOME that nobody asked for, or our own key from another address. */
type DropReason = (typeof DROP_REASONS)[number];

/** These are sealed by a pair's key; a move's key seals the others. */
const OF_PAIRS: readonly MessageType[] = ['introduce', 'introduced', 'lock', 'locked',
  'working'] satisfies PairMessage['type'][];

/** What the source or the target of a move says. */
const TO_PEERS: readonly MessageType[] = ['resume', 'cancel', 'claim'] satisfies MoveMessage['type'][];

/** What was received and checked. */
export type Received =
  /** Remember nothing for a HELLO that is not proved; answer it with `pair.welcome`. */
  | { readonly kind: 'hello'; readonly message: Hello; readonly proved: boolean; readonly pair: Pair }
  | { readonly kind: 'welcome'; readonly message: Welcome; readonly pair: Pair }
  | { readonly kind: 'pair'; readonly message: PairMessage; readonly pair: Pair }
  | { readonly kind: 'move'; readonly message: MoveMessage; readonly from: MoveRole; readonly move: Move };

export interface KeyringOptions {
  readonly clusterKey: Buffer | null;
  /** Whether a WELCOME answers something that we asked and wait for. */
  readonly isAsking: (welcome: Welcome) => boolean;
  /** Whether an address is this host's: both ends of a connection may be here, and then we speak to ourselves. */
  readonly isOwnAddress: (address: string) => boolean;
  readonly own?: KeyPair;
}

export class Keyring {
  readonly own: KeyPair;
  /** How many segments were ignored, for `migrun check`. */
  readonly drops = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;
  private readonly proved = new BoundedMap<string, Pair>(MAX_PROVED_PAIRS);
  private readonly strangers = new BoundedMap<string, Pair>(MAX_STRANGERS);
  /** Migrations in which this host is the peer, by the source's key id and migration. */
  private readonly asPeer = new BoundedMap<string, Move>(MAX_MOVES);
  /** Migrations in which it is the source or the target, by the peer's key id and migration. */
  private readonly asAsker = new BoundedMap<string, Move>(MAX_MOVES);
  /** Moves of `asPeer` that are not dropped for newer ones. */
  private readonly pinned = new Map<string, Move>();

  constructor(private readonly options: KeyringOptions) {
    this.own = options.own ?? generateKeyPair();
  }

  /** The first HELLO, to an agent whose key is not known. Afterwards: `pair.hello`. */
  hello(hello: Hello): Carried {
    return encodeHello(hello, this.own.publicKey, null);
  }

  /** Begins a migration away from here, as far as one peer is concerned. Call before LOCK is sent. */
  moveAway(pair: Pair, migration: string, counterBase?: bigint): Move {
    return this.addAsker(new Move(ticketAsSource(pair, migration), 'source', counterBase));
  }

  /** The target's side of a migration. */
  moveHere(ticket: MoveTicket): Move {
    return this.addAsker(new Move(ticket, 'target'));
  }

  /**
   * The peer's side, at a LOCK. Call only where the group is known to belong to this pair: strangers must not be
   * able to fill the table. A second call gives the same Move.
   */
  follow(pair: Pair, migration: string): Move {
    const name = moveName(pair.peerId, migration);
    const known = this.asPeer.get(name);
    if (known !== undefined) return known;
    const move = new Move(ticketAsPeer(pair, migration), 'peer');
    this.asPeer.set(name, move);
    return move;
  }

  /** Keeps the peer's side of a migration for as long as its hold lasts. The caller bounds how many there are. */
  pin(move: Move): void {
    this.pinned.set(moveName(move.ticket.sourceId, move.migration), move);
  }

  /** Undoes `pin`: from now on it is as after `follow`. */
  unpin(move: Move): void {
    const name = moveName(move.ticket.sourceId, move.migration);
    if (this.pinned.delete(name)) this.asPeer.set(name, move);
  }

  forget(move: Move): void {
    const { sourceId, peerId, migration } = move.ticket;
    if (move.role === 'peer') this.asPeer.delete(moveName(sourceId, migration));
    else this.asAsker.delete(moveName(peerId, migration));
  }

  /** `ends` as this host sees them: local is the segment's destination. null: ignored, and counted in `drops`. */
  receive(carried: Carried, ends: Connection): Received | null {
    try {
      const outcome = this.check(carried, ends);
      if (typeof outcome !== 'string') return outcome;
      this.drops[outcome] += 1;
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.drops[error instanceof OtherVersion ? 'other version' : 'malformed'] += 1;
    }
    return null;
  }

  private check(carried: Carried, ends: Connection): Received | DropReason {
    const { type } = decodeHeader(new Reader(carried.option));
    if (type === 'hello') return this.checkHello(carried, ends);
    if (type === 'welcome') return this.checkWelcome(carried, ends);
    const sealed = decodeSealed(carried);
    return OF_PAIRS.includes(type) ? this.checkPair(sealed) : this.checkMove(sealed);
  }

  private checkHello(carried: Carried, ends: Connection): Received | DropReason {
    const { hello, publicKey, proof } = decodeHello(carried);
    if (this.isMasquerade(publicKey, ends)) return 'unexpected';
    const pair = this.pairWith(publicKey);
    if (proof === null || proof.answererId !== this.own.id) {
      return { kind: 'hello', message: hello, proved: false, pair };
    }
    const refusal = pair.refuseHello(hello, proof.stamp, ends);
    if (refusal !== null) return refusal;
    this.trust(pair);
    return { kind: 'hello', message: hello, proved: true, pair };
  }

  private checkWelcome(carried: Carried, ends: Connection): Received | DropReason {
    const { welcome, publicKey, mac } = decodeWelcome(carried);
    if (!this.options.isAsking(welcome) || this.isMasquerade(publicKey, ends)) return 'unexpected';
    const pair = this.pairWith(publicKey);
    if (!pair.welcomeChecks(welcome, mac, ends)) return 'not authenticated';
    this.trust(pair);
    return { kind: 'welcome', message: welcome, pair };
  }

  private checkPair(sealed: Sealed): Received | DropReason {
    const pair = this.proved.get(sealed.senderId) ?? this.strangers.get(sealed.senderId);
    if (pair === undefined) return 'unknown sender';
    const refusal = pair.refuse(sealed);
    if (refusal !== null) return refusal;
    this.trust(pair);
    return { kind: 'pair', message: this.decode(sealed) as PairMessage, pair };
  }

  private checkMove(sealed: Sealed): Received | DropReason {
    const { type } = sealed.header;
    const name = moveName(sealed.senderId, migrationOf(sealed.payload));
    const move = TO_PEERS.includes(type) ? (this.pinned.get(name) ?? this.asPeer.get(name)) : this.asAsker.get(name);
    if (move === undefined) return 'unknown migration';
    const refusal = move.refuse(sealed);
    if (refusal !== null) return refusal;
    return { kind: 'move', message: this.decode(sealed) as MoveMessage, from: move.senderRole(sealed), move };
  }

  private decode({ header, payload }: Sealed): PairMessage | MoveMessage {
    if (!isSealedType(header.type)) throw new MalformedMessage('not a sealed type');
    return decodePayload(header.type, payload);
  }

  /** Our own key from elsewhere is our own message thrown back at us. */
  private isMasquerade(publicKey: Buffer, ends: Connection): boolean {
    return publicKey.equals(this.own.publicKey) && !this.options.isOwnAddress(ends.remote.address);
  }

  private pairWith(publicKey: Buffer): Pair {
    const id = keyId(publicKey);
    const known = this.proved.get(id) ?? this.strangers.get(id);
    // A key id is short enough for a chosen key to share it with another.
    if (known?.peerPublicKey.equals(publicKey) === true) return known;
    const pair = new Pair(this.own, publicKey, this.options.clusterKey);
    this.strangers.set(id, pair);
    return pair;
  }

  private trust(pair: Pair): void {
    this.strangers.delete(pair.peerId);
    this.proved.set(pair.peerId, pair);
  }

  private addAsker(move: Move): Move {
    this.asAsker.set(moveName(move.ticket.peerId, move.migration), move);
    return move;
  }
}

function moveName(senderId: string, migration: string): string {
  return `${senderId}:${migration}`;
}
