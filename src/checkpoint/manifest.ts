/**
 * What a checkpoint says of itself: the first file in it, JSON, so that any tool can show it. It is for people to read;
 * all that a restore needs beside CRIU's images is sealed (secrets.ts).
 */
import { arch, hostname, release } from 'node:os';
import { z } from 'zod';
import { MigrunError } from '../errors';
import type { MovingProgram } from '../kinds/program';
import { isConnectionSummary, socketSummaries } from '../kinds/saved';
import type { MovingState } from '../migration/state';
import { cpuFlags, type ProcessFact } from '../program/facts';
import { clusterKeyId } from '../protocol/channel/index';
import { endpoint, hexId, imageName, programId } from '../protocol/control/index';
import { VERSION } from '../version';

const FORMAT = 'migrun checkpoint';
/** Counts up with every change that an older reader would not understand. */
export const FORMAT_VERSION = 2;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  /** The version of migrun that made it. */
  migrun: z.string(),
  /** Names the cluster key that it is sealed with, and tells nothing of it. */
  key: z.string(),
  checkpoint: hexId,
  createdAt: z.iso.datetime(),
  /** When the hold of its peers ends; null: it is a copy of a program that went on with its connections. */
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
  /** Connections, those that wait to be accepted as well; listening sockets; UDP. */
  sockets: z.array(
    z.object({
      pid: z.int(),
      fd: z.int(),
      state: z.string(),
      local: endpoint,
      remote: endpoint.nullable(),
      sendQueue: z.int(),
      receiveQueue: z.int(),
      waiting: z.boolean(),
    }),
  ),
  /** All other files of the archive, in their order. */
  files: z.array(z.object({ name: imageName, size: z.int().nonnegative(), sha256 })),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFile = Manifest['files'][number];

/** What is told of a program that stands still and was saved. */
export interface Described {
  readonly migration: string;
  readonly program: MovingProgram;
  readonly processes: readonly ProcessFact[];
  readonly state: MovingState;
  readonly heldUntil: Date | null;
  readonly clusterKey: Buffer;
}

export function describeCheckpoint(
  { migration, program, processes, state, heldUntil, clusterKey }: Described,
  files: readonly ManifestFile[],
): Manifest {
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
    architecture: arch(),
    cpuFlags: cpuFlags(),
    program: { id, command, startedAt },
    terminal: program.terminal !== undefined,
    processes: processes.map(({ innerPid, name, executable, descriptors }) => ({
      pid: innerPid,
      name,
      executable,
      descriptors: [...descriptors],
    })),
    sockets: socketSummaries(state.kinds).map(({ innerPid, ...socket }) => ({ pid: innerPid, ...socket })),
    files: [...files],
  };
}

export function connectionsIn({ sockets }: Pick<Manifest, 'sockets'>): Manifest['sockets'] {
  return sockets.filter(isConnectionSummary);
}

/**
 * Reads of a manifest that is not authenticated yet its format, and which key it has. Throws E_CHECKPOINT_FORMAT,
 * E_CHECKPOINT_VERSION.
 */
export function peekManifest(bytes: Buffer, path: string): { key: string } {
  const { data } = z.object({ format: z.literal(FORMAT), version: z.int().positive(), key: z.string() }).safeParse(
    parseJson(bytes),
  );
  if (data === undefined) throw new MigrunError('E_CHECKPOINT_FORMAT', `${path} is not a checkpoint of migrun`);
  if (data.version !== FORMAT_VERSION) {
    throw new MigrunError(
      'E_CHECKPOINT_VERSION',
      `${path} has format ${data.version}, and this migrun reads ${FORMAT_VERSION}`,
      { hint: 'use the version of migrun that made it' },
    );
  }
  return data;
}

/** Reads a manifest that is authenticated. */
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
