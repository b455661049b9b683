/** What another host says first to an agent: what it wants. After `opened` the channel belongs to a supervisor. */
import { z } from 'zod';
import { hexId, programId } from './common';

export const hostMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('open-arrival'), migration: hexId, program: programId }),
  z.object({ type: z.literal('open-console'), program: programId }),
  z.object({ type: z.literal('opened') }),
  z.object({ type: z.literal('ask-outcome'), migration: hexId }),
  z.object({ type: z.literal('outcome-is'), outcome: z.enum(['committed', 'aborted']) }),
]);
export type HostMessage = z.infer<typeof hostMessage>;
