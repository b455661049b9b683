/**
 * The file that a checkpoint is written to before it has its name. While a supervisor is at it the journal names it,
 * and whether it is there says how a checkpoint ended: its last step but one is to rename it.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { native } from '../native/index';
import type { Drafted } from '../program/journal';
import type { Reason } from '../vocabulary/refusal';
import type { Checkpoint } from './context';

/** Gives why it cannot be made. */
export function makeDraft({ draft, file, request, program, journal, migration }: Checkpoint): Reason[] {
  try {
    if (statSync(file, { throwIfNoEntry: false }) !== undefined)
      return [{ code: 'E_CHECKPOINT_FILE', message: `${file} is there already` }];
    closeSync(openSync(draft, 'wx', 0o600));
    const { dev, ino } = statSync(dirname(draft));
    journal.asking(migration, {
      program: program.identity.id,
      draft,
      folder: { device: dev, inode: ino },
      stays: request.leaveRunning,
    });
    return [];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [{ code: 'E_CHECKPOINT_FILE', message: `${file} cannot be written: ${code ?? message}` }];
  }
}

/**
 * Gives the draft the name of the file: from then on the image is the program, whatever else fails. Throws
 * E_CHECKPOINT_FILE where a file has that name.
 */
export async function nameDraft(draft: string, file: string, log: Logger, rename = renameNew): Promise<void> {
  const folder = await open(dirname(file), 'r');
  try {
    rename(draft, file);
    await folder.sync().catch((error: unknown) =>
      log.error({ err: error }, 'the image has its name, but perhaps not after a power loss')
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new MigrunError('E_CHECKPOINT_FILE', `${file} is there already`, {
      hint: 'the program runs on; choose another name',
      cause: error,
    });
  } finally {
    await folder.close();
  }
}

function renameNew(draft: string, file: string): void {
  try {
    native.renameExclusive(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    renameUnseen(draft, file);
  }
}

/** Looks for the name, and renames then: on NFS the kernel cannot do both at once. */
export function renameUnseen(draft: string, file: string): void {
  if (existsSync(file)) throw Object.assign(new Error(`${file} is there`), { code: 'EEXIST' });
  renameSync(draft, file);
}

/** Whether the checkpoint of a supervisor that died was committed. Throws where that cannot be known now. */
export function wasCommitted({ draft, folder, stays }: Drafted): boolean {
  if (stays) return false;
  const { dev, ino } = statSync(dirname(draft), { throwIfNoEntry: false }) ?? {};
  if (dev !== folder.device || ino !== folder.inode) {
    throw new MigrunError(
      'E_CHECKPOINT_FILE',
      `${dirname(draft)}, where a checkpoint was being written, is not there`,
      { hint: 'bring it back, and start the agent again' },
    );
  }
  return statSync(draft, { throwIfNoEntry: false }) === undefined;
}

export function removeDraft({ draft }: Drafted): void {
  rmSync(draft, { force: true });
}
