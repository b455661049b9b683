/** What supervisors and the command line say to the agent of their host, over its UNIX socket. */
import { z } from 'zod';
import { moveTicketSchema } from '../inband/index';
import { connection, endpoint, hexId, programId, programSummary, sequence } from './common';

const status = z.string().max(32);

/** A peer's connection as its own program sees it, moved. */
const movedConnection = z.object({ connection, to: connection, peerHas: sequence });

/** What the target needs to speak to one peer in the source's name. */
export const peerTicket = z.object({
  ticket: moveTicketSchema,
  connections: z.array(z.object({ connection, token: z.string().max(64) })),
});
export type PeerTicket = z.infer<typeof peerTicket>;

/** What became of a program's connections when it was suspended or resumed where it is. */
export const pauseReport = z.object({
  program: programId,
  connections: z.array(z.object({ connection, status })),
  leftMs: z.number(),
});
export type PauseReport = z.infer<typeof pauseReport>;

/** A connection out of an accept queue: its descriptor in the process that tells of it, and how to put it back. */
const keptConnection = z.object({
  fd: z.int().nonnegative(),
  /** The inode of the listening socket. */
  listener: z.int().nonnegative(),
  remote: endpoint,
  receiveBuffer: z.int().positive(),
});
export type KeptConnection = z.infer<typeof keptConnection>;

export const agentMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('done') }),
  z.object({
    type: z.literal('register'),
    program: programSummary,
    cgroup: z.string().max(4096),
    socket: z.string().max(4096),
  }),
  z.object({ type: z.literal('update'), program: programSummary, cgroup: z.string().max(4096) }),
  z.object({ type: z.literal('list') }),
  z.object({
    type: z.literal('listed'),
    programs: z.array(programSummary),
    version: z.string(),
    port: z.int().nullable(),
  }),
  z.object({ type: z.literal('status') }),
  z.object({ type: z.literal('status-is'), facts: z.unknown() }),
  z.object({ type: z.literal('introduce'), group: hexId, connections: z.array(connection), deadlineMs: z.number() }),
  z.object({
    type: z.literal('introduced'),
    peers: z.array(z.object({ connection, status, agent: z.string(), token: z.string() })),
  }),
  z.object({
    type: z.literal('suspend'),
    migration: hexId,
    group: hexId,
    connections: z.array(connection),
    leaseMs: z.number(),
    round: z.int(),
    deadlineMs: z.number(),
  }),
  z.object({
    type: z.literal('suspended'),
    peers: z.array(z.object({ connection, status, rcvNxt: sequence, agent: z.string() })),
    tickets: z.array(peerTicket),
  }),
  z.object({
    type: z.literal('resume'),
    migration: hexId,
    group: hexId,
    role: z.enum(['source', 'target']),
    tickets: z.array(peerTicket),
    moved: z.array(movedConnection),
    deadlineMs: z.number(),
  }),
  z.object({ type: z.literal('resumed'), peers: z.array(z.object({ connection, status })) }),
  z.object({ type: z.literal('suspend-program'), program: programId, holdMs: z.int().min(1) }),
  z.object({ type: z.literal('resume-program'), program: programId }),
  z.object({ type: z.literal('program-held'), report: pauseReport }),
  /** The agent has them as well from now on, should the asker die; those that it had before of this program it lets go of. */
  z.object({ type: z.literal('keep'), program: programId, pid: z.int(), connections: z.array(keptConnection) }),
  z.object({ type: z.literal('kept'), program: programId }),
  z.object({ type: z.literal('kept-are'), pid: z.int(), connections: z.array(keptConnection) }),
  z.object({
    type: z.literal('ask-holds'),
    migration: hexId,
    claim: hexId,
    leaseMs: z.int().nonnegative(),
    tickets: z.array(peerTicket),
    connections: z.array(z.object({ connection, to: connection, sndUna: sequence, rcvNxt: sequence })),
    deadlineMs: z.number(),
  }),
  z.object({ type: z.literal('holds-are'), peers: z.array(z.object({ connection, status })) }),
  z.object({ type: z.literal('cancel'), migration: hexId, deadlineMs: z.number() }),
]);
export type AgentMessage = z.infer<typeof agentMessage>;
