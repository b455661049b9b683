/**
 * What a supervisor is told over its UNIX socket: by the command line of its host, by a console (through the agent of
 * this host, if the console is elsewhere), and by the source of a program that arrives.
 */
import { z } from 'zod';
import { bytesSchema } from '../channel/index';
import { type PeerAnswer, peerAnswer, peerTicket } from './agent';
import { connection, endpoint, hexId, imageName, programId, programSummary, reason, sequence } from './common';

const position = z.int().nonnegative();
const outputName = z.enum(['stdout', 'stderr']);

/** What the target checks before anything is touched. */
export const arrival = z.object({
  migration: hexId,
  program: programSummary,
  /** The addresses of the host that it leaves. */
  addresses: z.array(z.string().max(64)),
  /** By kind, in the kind's own schema (src/kinds), what the program needs there. */
  needs: z.record(z.string().max(32), z.unknown()),
  /** Tells who is to hold its connections, where it comes out of a checkpoint. */
  checkpoint: z.object({
    id: hexId,
    tickets: z.array(peerTicket),
    peers: z.array(z.object({ connection, sndUna: sequence, rcvNxt: sequence })),
    /** That some peers hold no more, or that it was restored here before, is no reason against it. */
    again: z.boolean(),
  }).nullable(),
});
export type Arrival = z.infer<typeof arrival>;

const inspection = z.object({
  program: programSummary,
  processes: z.array(
    z.object({
      pid: z.int(),
      innerPid: z.int(),
      name: z.string(),
      executable: z.string(),
      descriptors: z.array(z.object({ fd: z.int(), target: z.string() })),
    }),
  ),
  sockets: z.array(
    z.object({
      innerPid: z.int(),
      fd: z.int(),
      kind: z.string(),
      state: z.string(),
      local: endpoint,
      remote: endpoint,
      peer: z.string(),
    }),
  ),
  reasons: z.array(reason),
});
export type Inspection = z.infer<typeof inspection>;

/** How a connection's peer took its move; the connection as it was before. */
export type ResumedPeer = PeerAnswer;

const phase = z.object({ name: z.string(), ms: z.number() });
const migrationReport = z.object({
  migration: hexId,
  program: programId,
  target: z.string(),
  phases: z.array(phase),
  connections: z.int(),
  bytes: z.int(),
  frozenMs: z.number(),
  lost: z.array(peerAnswer),
});
export type MigrationReport = z.infer<typeof migrationReport>;

const checkpointReport = z.object({
  checkpoint: hexId,
  program: programId,
  file: z.string(),
  heldUntil: z.string().nullable(),
  phases: z.array(phase),
  connections: z.int(),
  bytes: z.int(),
  frozenMs: z.number(),
});
export type CheckpointReport = z.infer<typeof checkpointReport>;

export const supervisorMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('inspect') }),
  z.object({ type: z.literal('inspected'), inspection }),
  z.object({ type: z.literal('migrate'), to: z.string().max(256), port: z.int().min(1).max(65535) }),
  z.object({
    type: z.literal('progress'),
    step: z.string(),
    state: z.enum(['started', 'done', 'undone']),
    ms: z.number(),
  }),
  z.object({ type: z.literal('migrated'), report: migrationReport }),
  z.object({
    type: z.literal('checkpoint'),
    out: z.string().max(4096),
    holdMs: z.int().min(1),
    leaveRunning: z.boolean(),
  }),
  z.object({ type: z.literal('checkpointed'), report: checkpointReport }),
  z.object({ type: z.literal('kill'), signal: z.int().min(1).max(64) }),
  z.object({ type: z.literal('killed') }),

  // console
  z.object({ type: z.literal('attach'), token: hexId, received: z.object({ stdout: position, stderr: position }) }),
  z.object({ type: z.literal('attached'), received: position }),
  z.object({ type: z.literal('output'), name: outputName, position, data: bytesSchema }),
  z.object({ type: z.literal('output-ended'), name: outputName }),
  z.object({ type: z.literal('acknowledge'), name: outputName, position }),
  z.object({ type: z.literal('input'), position, data: bytesSchema }),
  z.object({ type: z.literal('input-ended') }),
  z.object({ type: z.literal('input-received'), position }),
  z.object({ type: z.literal('resize'), rows: z.int(), columns: z.int() }),
  z.object({ type: z.literal('exited'), status: z.int().min(0).max(255) }),
  z.object({ type: z.literal('stopped'), file: z.string() }),
  z.object({ type: z.literal('moved'), host: z.string(), port: z.int() }),

  // a program that arrives
  z.object({ type: z.literal('arrive'), arrival }),
  z.object({ type: z.literal('judged'), reasons: z.array(reason) }),
  z.object({
    type: z.literal('images'),
    rehearsal: z.boolean(),
    files: z.array(z.object({ name: imageName, size: z.int().nonnegative() })).max(65536),
  }),
  z.object({ type: z.literal('received'), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ type: z.literal('restore') }),
  z.object({ type: z.literal('restored'), locals: z.array(endpoint) }),
  z.object({ type: z.literal('commit') }),
  z.object({ type: z.literal('runs') }),
  z.object({ type: z.literal('resumed'), peers: z.array(peerAnswer) }),
]);
export type SupervisorMessage = z.infer<typeof supervisorMessage>;
