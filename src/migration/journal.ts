/**
 * What must outlive a crash of migrun: how each migration ended.
 *
 * `<migration>.outcome` is made exclusively, once, by whoever decides first on that host: the arriving program's
 * supervisor writes "committed", the agent that is asked about a migration it does not know writes "aborted". Both
 * are written before they are acted on.
 *
 * It lives as long as the programs can: in the run folder, gone with a reboot. Nothing is flushed to a disk, which
 * would cost some ten milliseconds of every pause and decide nothing: a host that lost its power has lost its copy.
 */
import { linkSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Outcome = 'committed' | 'aborted';

/** Long after anybody could still ask. */
const KEEP_MS = 7 * 24 * 3600 * 1000;

export class Journal {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** The outcome that stands: this one, or the one that was there before. */
  decide(migration: string, outcome: Outcome): Outcome {
    const path = join(this.folder, `${migration}.outcome`);
    try {
      writeOnce(path, outcome);
      return outcome;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return readFileSync(path, 'utf8') === 'committed' ? 'committed' : 'aborted';
    }
  }

  /** The source is about to ask for the commit: from here on only the target's word counts. */
  asking(migration: string, record: { program: string; target: string; port: number }): void {
    writeOnce(join(this.folder, `${migration}.asking`), JSON.stringify(record));
  }

  answered(migration: string): void {
    rmSync(join(this.folder, `${migration}.asking`), { force: true });
  }

  /** Removes what nobody will ask for any more. */
  sweep(now = Date.now()): void {
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      if (name.endsWith('.outcome') && now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now) > KEEP_MS) rmSync(path, { force: true });
    }
  }
}

/** Whole or not at all, and never over another. Throws EEXIST. */
function writeOnce(path: string, text: string): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
