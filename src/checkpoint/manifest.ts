/**
 * What a checkpoint says of itself: the first file in it, JSON, so that any tool can show it. Of what it is made for
 * other eyes; all that a restore needs beside CRIU's images is sealed (keys.ts).
 */
import { hostname, release } from 'node:os';
import { z } from 'zod';
import { MigrunError } from '../errors';
import { describeArrival } from '../migration/preflight';
import { clusterKeyId } from '../protocol/channel/index';
import { endpoint, hexId, imageName, programId } from '../protocol/control/index';
import { VERSION } from '../version';
import { tcpStateName } from '../vocabulary/sockets';
import type { CheckpointContext } from './context';

const FORMAT = 'migrun checkpoint';
/** Counts up with every change that an older reader would not understand. */
const FORMAT_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  /** That made it. */
  migrun: z.string(),
  /** Names the cluster key that it is sealed with, and tells nothing of it. */
  key: z.string(),
  checkpoint: hexId,
  createdAt: z.iso.datetime(),
  /** When its peers give it up; null: it is a copy of a program that went on with its connections. */
  heldUntil: z.iso.datetime().nullable(),
  host: z.string(),
  kernel: z.string(),
  architecture: z.string(),
  cpuFlags: z.array(z.string()),
  program: z.object({ id: programId, command: z.array(z.string()), startedAt: z.number() }),
  terminal: z.boolean(),
  processes: z.array(
    z.object({
      pid: z.int(),
      name: z.string(),
      executable: z.string(),
      descriptors: z.array(z.object({ fd: z.int(), target: z.string() })),
    }),
  ),
  connections: z.array(
    z.object({
      pid: z.int(),
      fd: z.int(),
      state: z.string(),
      local: endpoint,
      remote: endpoint,
      sendQueue: z.int(),
      receiveQueue: z.int(),
      waiting: z.boolean(),
    }),
  ),
  listeners: z.array(endpoint),
  udp: z.array(z.object({ pid: z.int(), fd: z.int(), local: endpoint, remote: endpoint })),
  /** All others, in their order. */
  files: z.array(z.object({ name: imageName, size: z.int().nonnegative(), sha256 })),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFile = Manifest['files'][number];

/** Of a program that stands still and was saved. */
export function describeCheckpoint(
  context: CheckpointContext,
  clusterKey: Buffer,
  files: readonly ManifestFile[],
): Manifest {
  const { migration, program, facts, saved, savedUdp, listeners, heldUntil } = context;
  const { architecture, cpuFlags } = describeArrival(context);
  const { id, command, startedAt } = program.summary;
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    migrun: VERSION,
    key: clusterKeyId(clusterKey),
    checkpoint: migration,
    createdAt: new Date().toISOString(),
    heldUntil: heldUntil?.toISOString() ?? null,
    host: hostname(),
    kernel: release(),
    architecture,
    cpuFlags,
    program: { id, command, startedAt },
    terminal: program.terminal !== undefined,
    processes: (facts?.processes ?? []).map(({ innerPid, name, executable, descriptors }) => ({
      pid: innerPid,
      name,
      executable,
      descriptors: [...descriptors],
    })),
    connections: saved.map(({ innerPid, fd, waiting, saved: { state, local, remote, sendQueue, receiveQueue } }) => ({
      pid: innerPid,
      fd,
      state: tcpStateName(state),
      local,
      remote,
      sendQueue: sendQueue.length,
      receiveQueue: receiveQueue.length,
      waiting: waiting !== null,
    })),
    listeners: listeners.map(({ local }) => local),
    udp: savedUdp.map(({ innerPid, fd, saved: { local, remote } }) => ({ pid: innerPid, fd, local, remote })),
    files: [...files],
  };
}

/** Before it is known who made it: which format it has, and which key. Throws E_CHECKPOINT_FORMAT, E_CHECKPOINT_VERSION. */
export function peekManifest(bytes: Buffer, path: string): { key: string } {
  const { data } = z.object({ format: z.literal(FORMAT), version: z.int().positive(), key: z.string() }).safeParse(
    parseJson(bytes),
  );
  if (data === undefined) throw new MigrunError('E_CHECKPOINT_FORMAT', `${path} is not a checkpoint of migrun`);
  if (data.version > FORMAT_VERSION) {
    throw new MigrunError(
      'E_CHECKPOINT_VERSION',
      `${path} has format ${data.version}, and this migrun reads up to ${FORMAT_VERSION}`,
      { hint: 'use the version of migrun that made it' },
    );
  }
  return data;
}

/** Once it is authenticated. */
export function parseManifest(bytes: Buffer): Manifest {
  return manifestSchema.parse(parseJson(bytes));
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
