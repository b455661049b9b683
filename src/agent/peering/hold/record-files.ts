/**
 * What an agent must know to go on with what its predecessor had begun: records of one kind, a file for each, in a
 * folder that only root can read, and that is gone after a reboot, as the connections are.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Host } from '../host';

const FILE = /^([0-9a-f]{32})\.json$/;

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

  /** `name` is 32 hexadecimal digits. The file replaces an earlier one of this name, whole or not at all. */
  write(name: string, record: Shape): void {
    if (this.folder === null) return;
    const draft = join(this.folder, `.${name}.json`);
    writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
    renameSync(draft, join(this.folder, `${name}.json`));
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
