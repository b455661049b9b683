/** Shapes that several kinds of messages share. */
import { z } from 'zod';
import { bytesSchema } from '../channel/index';

export const programId = z.string().regex(/^[0-9a-f]{8}$/);
export const hexId = z.string().regex(/^[0-9a-f]{32}$/);
export const endpoint = z.object({ address: z.string().max(64), port: z.int().min(0).max(65535) });
/** Where `udp` is not true, the connection is one of TCP. */
export const connection = z.object({ local: endpoint, remote: endpoint, udp: z.boolean().optional() });
/** The name of a file among a program's images. */
export const imageName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/);
export const sequence = z.int().min(0).max(0xffffffff);
export const reason = z.object({ code: z.string().max(64), message: z.string().max(4096) });

/** An option that a program set on a socket. */
export const socketOption = z.object({ level: z.int(), name: z.int(), value: bytesSchema });

/** What a host says of a program. */
export const programSummary = z.object({
  id: programId,
  group: hexId,
  command: z.array(z.string()),
  pid: z.int(),
  state: z.enum(['running', 'migrating', 'arriving', 'moved', 'ended', 'suspended']),
  /** How much longer its connections are held, where it is suspended. */
  suspendedForMs: z.number().optional(),
  connections: z.int().min(0),
  startedAt: z.number(),
});
export type ProgramSummary = z.infer<typeof programSummary>;
