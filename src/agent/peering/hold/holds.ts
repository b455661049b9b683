/**
 * Locks that last: the program at the other end is suspended or checkpointed, and comes back after minutes or hours.
 * Meanwhile its peers' connections here live (user-timeouts.ts), and what is needed to resume them is remembered, here
 * and in a file, so that the agent may be restarted.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeRecord } from '../../../program/record';
import { connection } from '../../../protocol/control/index';
import { moveTicketSchema } from '../../../protocol/inband';
import { LONGEST_LEASE_MS } from '../../../times';
import type { Host } from '../host';
import { hasDescriptor, isHeld, type Lock, type LockedConnection, type WithDescriptor } from '../lock/lock';
import type { Owners } from '../rebind/owners';
import type { UserTimeouts } from './user-timeouts';

/** A connection that is held, and where it was found. */
export const heldConnection = z.object({
  connection,
  location: z.object({ pid: z.int(), fd: z.int() }),
  hold: z.object({ userTimeout: z.int(), windowWasShut: z.boolean() }),
});

export const holdRecord = z.object({
  version: z.literal(2),
  ticket: moveTicketSchema,
  group: z.string(),
  round: z.int(),
  /** When it ends, in milliseconds of CLOCK_MONOTONIC. */
  until: z.number(),
  connections: z.array(heldConnection.extend({ token: z.string() })),
});
export type HoldRecord = z.infer<typeof holdRecord>;

interface HoldsParts {
  readonly owners: Owners;
  readonly userTimeouts: UserTimeouts;
  readonly files: RecordFiles<HoldRecord>;
}

export class Holds {
  constructor(private readonly host: Host, private readonly parts: HoldsParts) {}

  /** To be called when connections were just locked for this time, the first time or again. A short lock is no hold. */
  begin(lock: Lock, leaseMs: number): void {
    const { owners, userTimeouts } = this.parts;
    const connections = withDescriptors(lock);
    if (leaseMs <= LONGEST_LEASE_MS && !connections.some(isHeld)) return;
    this.host.keyring.pin(lock.move);
    owners.forget(connections.map(({ inode }) => inode)); // what was looked up is old by then
    userTimeouts.lengthen(connections, leaseMs);
    this.write(lock, monotonicMs() + leaseMs);
  }

  /** To be called when connections have followed: writes down what is left; where nothing is, the hold is over. */
  update(lock: Lock, leftMs: number): void {
    if (withDescriptors(lock).some(isHeld)) this.write(lock, monotonicMs() + leftMs);
    else this.forget(lock);
  }

  forget({ move }: Lock): void {
    this.host.keyring.unpin(move);
    this.parts.files.remove(fileName(move.ticket));
  }

  /** Whether this lock goes on without this agent. */
  outlivesUs(lock: Lock): boolean {
    return this.parts.files.outliveUs && lock.state === 'active' && withDescriptors(lock).some(isHeld);
  }

  records(): { record: HoldRecord; leftMs: number }[] {
    return this.parts.files.read().map((record) => ({ record, leftMs: record.until - monotonicMs() }));
  }

  private write(lock: Lock, until: number): void {
    const { move: { ticket }, group, round } = lock;
    const connections = withDescriptors(lock).flatMap((each) => {
      const { registration: { token, connection, location }, hold } = each;
      return hold === null ? [] : [{ token, connection, location, hold }];
    });
    this.parts.files.write(fileName(ticket), { version: 2, ticket, group, round, until, connections });
  }
}

function withDescriptors({ connections }: Lock): WithDescriptor<LockedConnection>[] {
  return [...connections.values()].filter(hasDescriptor);
}

/** A source names its migrations, and another one may use the same name. */
function fileName({ sourceId, migration }: HoldRecord['ticket']): string {
  return createHash('sha256').update(`${sourceId} ${migration}`).digest('hex').slice(0, 32);
}

const FILE = /^([0-9a-f]{32})\.json$/;

/**
 * What an agent must know to go on with what its predecessor had begun: records of one kind, a file for each, in a
 * folder that only root can read, and that is gone after a reboot, as the connections are.
 */
export class RecordFiles<Shape> {
  /** Without a folder nothing outlives the agent. */
  constructor(
    private readonly host: Host,
    private readonly folder: string | null,
    private readonly schema: z.ZodType<Shape>,
  ) {
    if (folder !== null) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Whether another agent could go on with what is written. */
  get outliveUs(): boolean {
    return this.folder !== null;
  }

  /** `name` is 32 hexadecimal digits. */
  write(name: string, record: Shape): void {
    if (this.folder !== null) writeRecord(this.folder, `${name}.json`, record);
  }

  remove(name: string): void {
    if (this.folder !== null) rmSync(join(this.folder, `${name}.json`), { force: true });
  }

  read(): Shape[] {
    const { folder } = this;
    if (folder === null) return [];
    return readdirSync(folder).filter((name) => FILE.test(name)).flatMap((name) => {
      try {
        return [this.schema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')))];
      } catch (error) {
        this.host.log.error({ err: error, name }, 'a record cannot be read; the leases of what it names end it');
        return [];
      }
    });
  }
}

/** CLOCK_MONOTONIC, which the leases of locks count by and which outlives this process, in milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
