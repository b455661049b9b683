/** What another host says first to an agent: what it wants. After `opened` the channel belongs to a supervisor. */
import { hostname } from 'node:os';
import { z } from 'zod';
import type { Config } from '../../config';
import { VERSION } from '../../version';
import { connect, type Connected, readClusterKey } from '../channel/index';
import { hexId, programId } from './common';

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
