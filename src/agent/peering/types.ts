/** What a host's peering is asked for and answers. All of it is plain data, so that it can cross a local channel. */

import { z } from 'zod';
import { type DropReason, moveTicketSchema, type Status } from '../../protocol/inband';
import type { Connection } from '../../vocabulary/endpoint';

/** no-agent: nobody answered for this connection. */
export type PeerStatus = Status | 'no-agent';

/** Connections are named as the local program sees them. Where the answer says nothing of a peer, `agent` is ''. */
export interface IntroduceRequest {
  readonly group: string;
  readonly connections: readonly Connection[];
  readonly deadlineMs: number;
}

export interface IntroducedConnection {
  readonly connection: Connection;
  readonly status: PeerStatus;
  /** Key id of the agent at the other end. */
  readonly agent: string;
  readonly token: string;
}

export interface SuspendRequest {
  readonly migration: string;
  readonly group: string;
  readonly connections: readonly Connection[];
  readonly leaseMs: number;
  /** Counts up; the peers' leases are renewed at each. */
  readonly round: number;
  readonly deadlineMs: number;
}

export interface SuspendedConnection {
  readonly connection: Connection;
  readonly status: PeerStatus;
  /** What the peer has received, its FIN not counted; 0 where the status is not ok. */
  readonly rcvNxt: number;
  readonly agent: string;
}

export interface MovedConnection {
  /** Before the move. */
  readonly connection: Connection;
  readonly to: Connection;
  /** The moved side's rcvNxt. */
  readonly peerHas: number;
}

export interface ResumeRequest {
  readonly migration: string;
  readonly group: string;
  /** source: asked on the old path; target: on the new one, with the source's tickets. */
  readonly role: 'source' | 'target';
  readonly tickets?: readonly PeerTicket[];
  readonly moved: readonly MovedConnection[];
  readonly deadlineMs: number;
}

export interface ResumedConnection {
  /** Before the move. */
  readonly connection: Connection;
  readonly status: PeerStatus;
}

/** A program of this host whose connections are to be held at both ends. */
export interface PauseRequest {
  readonly group: string;
  readonly connections: readonly Connection[];
  readonly leaseMs: number;
}

export interface AskRequest {
  readonly migration: string;
  /** The restore that asks; where all answer, it has them to itself for this long. 0: it does without, from now on. */
  readonly claim: string;
  readonly leaseMs: number;
  readonly tickets: readonly PeerTicket[];
  /** Each as it was, as it would be here, and its sequence numbers. */
  readonly connections: readonly {
    readonly connection: Connection;
    readonly to: Connection;
    readonly sndUna: number;
    readonly rcvNxt: number;
  }[];
  readonly deadlineMs: number;
}

export interface CancelRequest {
  readonly migration: string;
  readonly deadlineMs: number;
}

export interface CancelledAgent {
  readonly agent: string;
  readonly status: 'ok' | 'no-agent';
}

const endpointSchema = z.object({
  address: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65535),
});

export const connectionSchema = z.object({
  local: endpointSchema,
  remote: endpointSchema,
  udp: z.boolean().optional(),
});

/** One peer of a migration: what the target host needs to speak to it in the source's name. Secret. */
export const peerTicketSchema = z.object({
  ticket: moveTicketSchema,
  connections: z.array(
    z.object({
      /** Before the move. */
      connection: connectionSchema,
      token: z.string().regex(/^[0-9a-f]{16}$/),
    }),
  ),
});

export type PeerTicket = z.infer<typeof peerTicketSchema>;

/**
 * What became of a connection that was to follow. ok: lives at the new address, unlocked. failed: as it was before, as
 * far as that can be, and unlocked. busy, not-permitted: its program cannot be stopped now; it was not touched.
 */
export type Rebound = Extract<Status, 'ok' | 'busy' | 'not-permitted' | 'failed'>;

/** How to stop a wrapped program for the moment in which its sockets are rebound. */
export interface PeerFreezer {
  /** Returns when nothing of it runs. Throws where that cannot be had, having left it running. */
  freeze(): void;
  thaw(): void;
}

/** What this host knows of its wrapped programs. */
export interface LocalPrograms {
  /** The program that this process belongs to, the same object each time; null: a process like any other. */
  freezerOf(pid: number): PeerFreezer | null;
  isMigrating(pid: number): boolean;
  /** Its connections are held at both ends. */
  isPaused(pid: number): boolean;
}

/** active: locked. lapsed: its lease ended, but it may still be resumed. */
export type SuspensionState = 'active' | 'lapsed' | 'cancelled';

export interface SuspensionFacts {
  readonly migration: string;
  readonly group: string;
  readonly agent: string;
  readonly state: SuspensionState;
  /** Until the lease ends; 0 where it is not active. */
  readonly leftMs: number;
  readonly locked: number;
  readonly moved: number;
}

export interface PeeringFacts {
  readonly agent: string;
  /** Segments that were not believed, by reason. */
  readonly drops: Record<DropReason, number>;
  /** Connections of this host that other agents have introduced. */
  readonly registered: number;
  readonly suspensions: readonly SuspensionFacts[];
}
