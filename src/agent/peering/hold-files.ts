/**
 * What an agent must know of a hold (holds.ts) to go on with one that its predecessor took: a file for each, in a folder
 * that is root's and gone with a reboot, as the connections are.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { moveTicketSchema } from '../../protocol/inband';
import { connectionSchema } from './types';

const heldMember = z.object({
  token: z.string(),
  connection: connectionSchema,
  owner: z.object({ pid: z.int(), fd: z.int() }),
  patience: z.object({ userTimeout: z.int(), windowWasShut: z.boolean() }),
});

const holdRecord = z.object({
  version: z.literal(1),
  ticket: moveTicketSchema,
  group: z.string(),
  round: z.int(),
  /** Of CLOCK_MONOTONIC, in milliseconds: the clock of the locks' own leases. */
  until: z.number(),
  members: z.array(heldMember),
});
export type HoldRecord = z.infer<typeof holdRecord>;

const FILE = /^[0-9a-f]{32}\.json$/;

export class HoldFiles {
  /** Without a folder nothing outlives the agent. */
  constructor(
    private readonly folder: string | null,
    private readonly log: Logger,
  ) {
    if (folder !== null) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Whether another agent could go on with what is written. */
  get isKept(): boolean {
    return this.folder !== null;
  }

  /** Whole or not at all. Instead of an earlier one of this hold. */
  write(record: HoldRecord): void {
    if (this.folder === null) return;
    const name = fileName(record.ticket);
    const draft = join(this.folder, `.${name}`);
    writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
    renameSync(draft, join(this.folder, name));
  }

  remove(ticket: HoldRecord['ticket']): void {
    if (this.folder !== null) rmSync(join(this.folder, fileName(ticket)), { force: true });
  }

  read(): HoldRecord[] {
    const { folder } = this;
    if (folder === null) return [];
    return readdirSync(folder).filter((name) => FILE.test(name)).flatMap((name) => {
      try {
        return [holdRecord.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')))];
      } catch (error) {
        this.log.error({ err: error, name }, 'the record of a hold cannot be read; its leases end it');
        return [];
      }
    });
  }
}

/** Of CLOCK_MONOTONIC, as HoldRecord.until. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** A source names its migrations, and another one may use the same name. */
function fileName({ sourceId, migration }: HoldRecord['ticket']): string {
  return `${createHash('sha256').update(`${sourceId} ${migration}`).digest('hex').slice(0, 32)}.json`;
}
