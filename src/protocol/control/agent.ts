/**
 * What an agent is told: by the supervisors and the command line of its host, over its UNIX socket, and by other hosts,
 * over TLS.
 */

import { hostname } from 'node:os';
import { z } from 'zod';
import type { Config } from '../../config';
import { VERSION } from '../../version';
import { connect, type Connected, readClusterKey } from '../channel/index';
import { DROP_REASONS, moveTicketSchema, STATUSES } from '../inband/index';
import { connection, endpoint, hexId, programId, programSummary, sequence } from './common';

// connections and their peers; `connection` is what the local program has or had, before any move

/** no-agent: nobody answered for this connection. suspended: its program here is. */
const peerStatus = z.enum([...STATUSES, 'no-agent', 'suspended']);
export type PeerStatus = z.infer<typeof peerStatus>;

export const peerAnswer = z.object({ connection, status: peerStatus });
export type PeerAnswer = z.infer<typeof peerAnswer>;

/** `agent`: key id of the agent at the other end; '' where nobody answered. */
const introducedPeer = peerAnswer.extend({ agent: z.string(), token: z.string() });
export type IntroducedPeer = z.infer<typeof introducedPeer>;

/** `rcvNxt`: what the peer has received, its FIN not counted; 0 where the status is not ok. */
const lockedPeer = peerAnswer.extend({ rcvNxt: sequence, agent: z.string() });
export type LockedPeer = z.infer<typeof lockedPeer>;

/** `peerHas`: the moved side's rcvNxt. */
const movedConnection = z.object({ connection, to: connection, peerHas: sequence });
export type MovedConnection = z.infer<typeof movedConnection>;

/** What a target needs to speak to one peer of a migration in the source's name. Secret. */
export const peerTicket = z.object({
  ticket: moveTicketSchema,
  connections: z.array(z.object({ connection, token: z.string().max(64) })),
});
export type PeerTicket = z.infer<typeof peerTicket>;

// what peers are asked, by this host's agent for a program of it

const connections = z.array(connection).readonly();
const tickets = z.array(peerTicket).readonly();

const introduceRequest = z.object({ group: hexId, connections, deadlineMs: z.number() });
export type IntroduceRequest = z.infer<typeof introduceRequest>;

/** `round` counts up; at each the peers' leases are renewed. */
const lockRequest = z.object({
  migration: hexId,
  group: hexId,
  connections,
  leaseMs: z.number(),
  round: z.int(),
  deadlineMs: z.number(),
});
export type LockRequest = z.infer<typeof lockRequest>;

/** A source asks on the old path; a target asks on the new one, with the source's tickets. */
const resumeRequest = z.object({
  migration: hexId,
  group: hexId,
  role: z.enum(['source', 'target']),
  tickets,
  moved: z.array(movedConnection).readonly(),
  deadlineMs: z.number(),
});
export type ResumeRequest = z.infer<typeof resumeRequest>;

/**
 * `restore` names the restore that asks; where all answer, it has them to itself for `leaseMs`. 0 gives that back.
 * Each connection is named as it was and as it would be here, with its sequence numbers.
 */
const claimRequest = z.object({
  migration: hexId,
  restore: hexId,
  leaseMs: z.int().nonnegative(),
  tickets,
  connections: z.array(z.object({ connection, to: connection, sndUna: sequence, rcvNxt: sequence })).readonly(),
  deadlineMs: z.number(),
});
export type ClaimRequest = z.infer<typeof claimRequest>;

const cancelRequest = z.object({ migration: hexId, deadlineMs: z.number() });
export type CancelRequest = z.infer<typeof cancelRequest>;

// what the agent says of programs and of itself

/** What became of a program's connections when it was suspended, or resumed, where it is. */
const suspendReport = z.object({ program: programId, connections: z.array(peerAnswer), leftMs: z.number() });
export type SuspendReport = z.infer<typeof suspendReport>;

/**
 * Connections of this host that are locked for one program elsewhere. lapsed: the lease ended, but they may still be
 * resumed. `leftMs`: until the lease ends. `locked` and `moved` count connections.
 */
const lockFacts = z.object({
  migration: hexId,
  group: hexId,
  agent: z.string(),
  state: z.enum(['active', 'lapsed', 'cancelled']),
  leftMs: z.number(),
  locked: z.int(),
  moved: z.int(),
});
export type LockFacts = z.infer<typeof lockFacts>;

/** `agent`: its key id. `registered`: connections of this host that other agents have introduced. */
const peeringFacts = z.object({
  agent: z.string(),
  registered: z.int(),
  locks: z.array(lockFacts),
  /** Segments that were not believed. */
  drops: z.record(z.enum(DROP_REASONS), z.int()),
});
export type PeeringFacts = z.infer<typeof peeringFacts>;

const agentFacts = z.object({ version: z.string(), port: z.int().nullable(), peering: peeringFacts });
export type AgentFacts = z.infer<typeof agentFacts>;

/** A connection out of an accept queue: its descriptor in the process that tells of it, and how to put it back. */
const entrustedConnection = z.object({
  fd: z.int().nonnegative(),
  /** The inode of the listening socket. */
  listener: z.int().nonnegative(),
  remote: endpoint,
  receiveBuffer: z.int().positive(),
});
export type EntrustedConnection = z.infer<typeof entrustedConnection>;

export const agentMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('register'), program: programSummary, cgroup: z.string().max(4096) }),
  z.object({ type: z.literal('update'), program: programSummary, cgroup: z.string().max(4096) }),
  z.object({ type: z.literal('list') }),
  z.object({ type: z.literal('listed'), programs: z.array(programSummary) }),
  z.object({ type: z.literal('status') }),
  z.object({ type: z.literal('status-is'), facts: agentFacts }),
  introduceRequest.extend({ type: z.literal('introduce') }),
  z.object({ type: z.literal('introduced'), peers: z.array(introducedPeer) }),
  lockRequest.extend({ type: z.literal('lock') }),
  z.object({ type: z.literal('locked'), peers: z.array(lockedPeer), tickets: z.array(peerTicket) }),
  resumeRequest.extend({ type: z.literal('resume') }),
  z.object({ type: z.literal('resumed'), peers: z.array(peerAnswer) }),
  claimRequest.extend({ type: z.literal('claim') }),
  z.object({ type: z.literal('held'), peers: z.array(peerAnswer) }),
  cancelRequest.extend({ type: z.literal('cancel') }),
  z.object({ type: z.literal('suspend-program'), program: programId, holdMs: z.int().min(1) }),
  z.object({ type: z.literal('resume-program'), program: programId }),
  z.object({ type: z.literal('suspend-report'), report: suspendReport }),
  /**
   * The agent has them as well from now on, should the asker die; it lets go of those that it had of this program
   * before.
   */
  z.object({ type: z.literal('entrust'), program: programId, pid: z.int(), connections: z.array(entrustedConnection) }),
  z.object({ type: z.literal('entrusted'), program: programId }),
  z.object({ type: z.literal('entrusted-are'), pid: z.int(), connections: z.array(entrustedConnection) }),
]);
export type AgentMessage = z.infer<typeof agentMessage>;

// other hosts

/** What another host says first: what it wants. After `opened` the channel belongs to a supervisor. */
export const hostMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('open-arrival'), migration: hexId, program: programId }),
  z.object({ type: z.literal('open-console'), program: programId }),
  z.object({ type: z.literal('opened') }),
  z.object({ type: z.literal('ask-outcome'), migration: hexId }),
  z.object({ type: z.literal('outcome-is'), outcome: z.enum(['committed', 'aborted']) }),
]);
export type HostMessage = z.infer<typeof hostMessage>;

/** Opens a channel to the agent of another host. Throws what `connect` and `readClusterKey` do. */
export function connectToAgent(
  { clusterKeyFile }: Config,
  { host, port }: { host: string; port: number },
): Promise<Connected<HostMessage>> {
  const identity = { version: VERSION, host: hostname() };
  return connect({ host, port, key: readClusterKey(clusterKeyFile), identity, schema: hostMessage });
}
