/**
 * What agents say to each other on a connection's own four addresses.
 *
 * How it works
 * ------------
 * A segment has a TCP option (at most 34 bytes after kind, length and ExID) and a body. The option starts with
 * {type, flags}; its upper four flag bits are the protocol version. Where a target speaks, its id follows them.
 *
 *   HELLO      after connect or accept: "this connection is `token` of my program `group`". The option carries the
 *              sender's X25519 public key. The first HELLO to an agent is unproved, because the other's key is not
 *              known yet; nothing is to be remembered for it. WELCOME brings that key, proved; HELLO again, now
 *              proved by the pair key, is what registers the connection.
 *   INTRODUCE  in parts, each complete in itself: what HELLO says, for all other connections between the same two
 *              addresses. That each is the sender's own is shown by its sequence numbers, which only its ends know.
 *              INTRODUCED answers part by part; whatever is not ok in it may still say HELLO for itself.
 *   LOCK       "lock every connection of `group`, for `leaseMs`"; a higher round renews. LOCKED lists, in parts, every
 *              connection: whether it is locked, and its rcvNxt. `from` leaves out the parts that have arrived.
 *              WORKING comes before it where there are many: the asker shall wait that much longer.
 *   RESUME     in parts, each complete in itself: the new address, the other ends' own, each connection's new port, and
 *              what the moved side has received. RESUMED answers part by part, with the same part number.
 *   CANCEL     "nothing moved: unlock"; CANCELLED.
 *   CLAIM      from a target that has not resumed anything: "which do you hold? Keep them for this restore, for
 *              `leaseMs`"; 0 gives the claim back. HELD lists, in parts, every connection.
 *
 * All but HELLO and WELCOME are sealed (seal.ts). Numbers are big-endian. Ids are kept as lower-case hex.
 */

export const PROTOCOL_VERSION = 4;

/** Upper limit of a body. With IPv6 (40) and a full TCP header (60) it fits a path of 1,400 bytes. */
export const MAX_BODY = 1300;

/** Bounds what is kept while parts arrive: more than five million connections between two hosts. */
export const MAX_PARTS = 65_535;

export const ID_BYTES = 16;
export const TOKEN_BYTES = 8;
export const KEY_ID_BYTES = 8;
export const TARGET_ID_BYTES = 8;
export const PUBLIC_KEY_BYTES = 32;
export const MAC_BYTES = 16;

/** Each type's number on the wire. */
export const MESSAGE_TYPES = {
  hello: 1,
  welcome: 2,
  lock: 3,
  locked: 4,
  resume: 5,
  resumed: 6,
  cancel: 7,
  cancelled: 8,
  introduce: 9,
  introduced: 10,
  working: 11,
  claim: 12,
  held: 13,
} as const;

export type MessageType = keyof typeof MESSAGE_TYPES;

/** What became of one connection, or would become of it; the index is its number on the wire. */
export const STATUSES = ['ok', 'no-socket', 'no-owner', 'busy', 'not-permitted', 'failed', 'moved', 'claimed'] as const;

/**
 * ok: locked, rebound, or can follow. no-socket: no such connection here. no-owner: no process has it.
 * busy: its program is migrating itself. not-permitted: a process that has it cannot be stopped.
 * moved: it has followed already. claimed: it is kept for another restore of the same checkpoint.
 */
export type Status = (typeof STATUSES)[number];

/** A piece of a list that does not fit one segment. */
export interface Part<Entry> {
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly Entry[];
}

export interface StatusEntry {
  readonly token: string;
  readonly status: Status;
}

/** What a question and its answer have in common. */
export interface Greeting {
  /** Random id that names the asking program. */
  readonly group: string;
  /** Random, names this connection for its life. */
  readonly token: string;
  /** Distinguishes this question's answer from an earlier one's. */
  readonly nonce: number;
}

export interface Hello extends Greeting {
  readonly type: 'hello';
}

export interface Welcome extends Greeting {
  readonly type: 'welcome';
  /** The HELLO it answers was proved: the connection is registered if `status` is ok. */
  readonly registered: boolean;
  readonly status: Status;
}

export interface IntroduceEntry {
  readonly token: string;
  /** The asking side's port. */
  readonly port: number;
  readonly peerPort: number;
  /** The asking side's snd_una and rcv_nxt. */
  readonly sndUna: number;
  readonly rcvNxt: number;
}

export interface Introduce extends Part<IntroduceEntry> {
  readonly type: 'introduce';
  readonly group: string;
  /** Distinguishes this question's answers from an earlier one's. */
  readonly nonce: number;
  /** The asking side's address; with the other's it is that of all these connections, and of the segment itself. */
  readonly address: string;
  readonly peerAddress: string;
}

export interface Introduced extends Part<StatusEntry> {
  readonly type: 'introduced';
  readonly group: string;
  readonly nonce: number;
}

export interface Lock {
  readonly type: 'lock';
  readonly migration: string;
  readonly group: string;
  readonly leaseMs: number;
  readonly round: number;
  /** Answer parts below this one have arrived already. */
  readonly from: number;
}

export interface LockedEntry extends StatusEntry {
  /** 0 where the status is not ok. */
  readonly rcvNxt: number;
}

export interface Locked extends Part<LockedEntry> {
  readonly type: 'locked';
  readonly migration: string;
  readonly round: number;
}

export interface Working {
  readonly type: 'working';
  readonly migration: string;
  readonly round: number;
  /** How long it takes, from now. */
  readonly ms: number;
}

export interface ResumeEntry {
  readonly token: string;
  /** The moved side's new port. */
  readonly port: number;
  /** The moved side's rcvNxt. */
  readonly peerHas: number;
}

export interface Resume extends Part<ResumeEntry> {
  readonly type: 'resume';
  readonly migration: string;
  readonly group: string;
  /** The address of the host that the program is on now. */
  readonly address: string;
  /** The other ends' own address: the one that they have, unless they were reached at loopback. */
  readonly peerAddress: string;
}

export interface Resumed extends Part<StatusEntry> {
  readonly type: 'resumed';
  readonly migration: string;
}

interface Cancel {
  readonly type: 'cancel' | 'cancelled';
  readonly migration: string;
}

export interface Claim {
  readonly type: 'claim';
  readonly migration: string;
  /** Random, names the restore. */
  readonly restore: string;
  readonly leaseMs: number;
  /** Distinguishes this question's answers from an earlier one's. */
  readonly nonce: number;
  /** Answer parts below this one have arrived already. */
  readonly from: number;
}

export interface Held extends Part<StatusEntry> {
  readonly type: 'held';
  readonly migration: string;
  readonly nonce: number;
}

/** Sealed by the pair key. */
export type PairMessage = Introduce | Introduced | Lock | Locked | Working;
/** Sealed by the move key, which the target host holds too. */
export type MoveMessage = Resume | Resumed | Cancel | Claim | Held;
export type SealedMessage = PairMessage | MoveMessage;
/** A move is asked for by its source and its target; the peer answers. */
export type MoveRole = 'source' | 'target' | 'peer';

/** What a segment carries of ours. */
export interface Carried {
  readonly option: Buffer;
  readonly body: Buffer;
}
