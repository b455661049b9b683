/**
 * Suspensions that last: the program at the other end is suspended or checkpointed, and comes back after minutes or
 * hours. Meanwhile its peers' connections here live (patience.ts), and what is needed to resume them is kept, here and
 * in a file, so that the agent may be restarted.
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Keyring, moveTicketSchema } from '../../protocol/inband';
import { LONGEST_LEASE_MS } from '../../vocabulary/lease';
import type { Owners } from './owners';
import { type Held, isHeld, isPatient, type Patience } from './patience';
import { monotonicMs, type StateFiles } from './state-files';
import type { Suspension } from './suspension';
import { connectionSchema } from './types';

/** A held connection and where it was found. */
export const heldMember = z.object({
  connection: connectionSchema,
  owner: z.object({ pid: z.int(), fd: z.int() }),
  patience: z.object({ userTimeout: z.int(), windowWasShut: z.boolean() }),
});

export const holdRecord = z.object({
  version: z.literal(1),
  ticket: moveTicketSchema,
  group: z.string(),
  round: z.int(),
  /** Of CLOCK_MONOTONIC, in milliseconds. */
  until: z.number(),
  members: z.array(heldMember.extend({ token: z.string() })),
});
export type HoldRecord = z.infer<typeof holdRecord>;

export class Holds {
  constructor(
    private readonly keyring: Keyring,
    private readonly owners: Owners,
    private readonly patience: Patience,
    private readonly files: StateFiles<HoldRecord>,
  ) {}

  /** Of members that were just locked for this time, the first time or again. Short suspensions are no holds. */
  begin(suspension: Suspension, leaseMs: number): void {
    const held = heldOf(suspension);
    if (leaseMs <= LONGEST_LEASE_MS && !held.some(isPatient)) return;
    this.keyring.keep(suspension.move);
    this.owners.forget(held.map(({ inode }) => inode)); // what was looked up is old by then
    this.patience.give(held, leaseMs);
    this.write(suspension, monotonicMs() + leaseMs);
  }

  /** What is left of it; where nothing is, it is over. */
  update(suspension: Suspension, leftMs: number): void {
    if (heldOf(suspension).some(isPatient)) this.write(suspension, monotonicMs() + leftMs);
    else this.forget(suspension);
  }

  forget({ move }: Suspension): void {
    this.keyring.keepNoLonger(move);
    this.files.remove(fileName(move.ticket));
  }

  /** Whether this suspension goes on without this agent. */
  outlivesUs(suspension: Suspension): boolean {
    return this.files.isKept && suspension.state === 'active' && heldOf(suspension).some(isPatient);
  }

  records(): { record: HoldRecord; leftMs: number }[] {
    return this.files.read().map((record) => ({ record, leftMs: record.until - monotonicMs() }));
  }

  private write(suspension: Suspension, until: number): void {
    const { move, group, round } = suspension;
    const members = heldOf(suspension).flatMap(({ registration: { token, connection, owner }, patience }) =>
      patience === null ? [] : [{ token, connection, owner, patience }]
    );
    this.files.write(fileName(move.ticket), { version: 1, ticket: move.ticket, group, round, until, members });
  }
}

function heldOf({ members }: Suspension): Held[] {
  return [...members.values()].filter(isHeld);
}

/** A source names its migrations, and another one may use the same name. */
function fileName({ sourceId, migration }: HoldRecord['ticket']): string {
  return createHash('sha256').update(`${sourceId} ${migration}`).digest('hex').slice(0, 32);
}
