/**
 * What must outlive a crash: how each migration ended.
 *
 * On the target, `<migration>.outcome` is made once, by whoever decides first: the arriving program's supervisor writes
 * "committed"; it writes "aborted" where it gives up, and so does the agent that is asked about a migration which
 * nobody has decided.
 *
 * A checkpoint that was restored here has a file of its own of that kind, "committed", beside the restore's.
 *
 * On the source, `<migration>.asking` stands from before the commit is asked for until what follows from the answer is
 * done. While it does, only the target's word counts: whoever takes the program over asks for it again. A checkpoint's
 * stands from its preflight on, and its draft has the word.
 *
 * A file is there with all of its content or not at all, and on disk before it is acted on.
 */
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync,
  writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { KEEP_ABORTED_MS } from '../times';

export type Outcome = 'committed' | 'aborted';

const askedSchema = z.object({ program: z.string(), target: z.string(), port: z.number() });
const draftedSchema = z.object({
  program: z.string(),
  draft: z.string(),
  folder: z.object({ device: z.number(), inode: z.number() }),
  stays: z.boolean(),
});
/** The draft of a checkpoint, which decides by being there. `stays`: the file is a copy, and the program stays here. */
export type Drafted = z.infer<typeof draftedSchema>;
/** Who decides about a migration that was asked for. */
export type Asking = z.infer<typeof askedSchema> | Drafted;

const askingSchema = z.union([askedSchema, draftedSchema]);

export class Journal {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Gives the outcome that stands: this one, or the one that was there before. */
  decide(migration: string, outcome: Outcome): Outcome {
    const path = this.outcomePath(migration);
    try {
      writeDurably(path, outcome, this.folder);
      return outcome;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      sync(this.folder); // whoever made it may not have got that far
      return readFileSync(path, 'utf8') === 'committed' ? 'committed' : 'aborted';
    }
  }

  /** Gives undefined where nobody has decided. */
  outcome(migration: string): Outcome | undefined {
    const path = this.outcomePath(migration);
    if (!existsSync(path)) return undefined;
    return readFileSync(path, 'utf8') === 'committed' ? 'committed' : 'aborted';
  }

  /** The source is about to ask for the commit: from here on only the target's word counts. */
  asking(migration: string, asking: Asking): void {
    writeDurably(this.askingPath(migration), JSON.stringify(asking), this.folder);
  }

  /** Gives who was asked for the commit, where it may have been asked for. */
  asked(migration: string): Asking | undefined {
    try {
      return askingSchema.parse(JSON.parse(readFileSync(this.askingPath(migration), 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The answer has been acted on: it was aborted, or the source's copy is no more. */
  answered(migration: string): void {
    rmSync(this.askingPath(migration), { force: true });
  }

  /** Removes files whose absence says the same. */
  sweep(now = Date.now()): void {
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      const age = now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now);
      if (age <= KEEP_ABORTED_MS) continue;
      if (name.endsWith('.new') || (name.endsWith('.outcome') && readFileSync(path, 'utf8') !== 'committed'))
        rmSync(path, { force: true });
    }
  }

  private outcomePath(migration: string): string {
    return join(this.folder, `${migration}.outcome`);
  }

  private askingPath(migration: string): string {
    return join(this.folder, `${migration}.asking`);
  }
}

/** Throws EEXIST where the file is there already. */
function writeDurably(path: string, text: string, folder: string): void {
  const draft = `${path}.${process.pid}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
    linkSync(draft, path);
  } finally {
    closeSync(fd);
    rmSync(draft, { force: true });
  }
  sync(folder);
}

function sync(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
