/**
 * The file that a checkpoint is written to before it has its name. While a supervisor is at it the journal names it,
 * and whether it is there says how a checkpoint ended: its last step but one is to rename it.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MigrunError } from '../errors';
import type { Drafted } from '../migration/journal';
import type { Reason } from '../migration/rules';
import type { CheckpointContext } from './context';

/** Gives why it cannot be made. */
export function makeDraft({ draft, file, request, program, journal, migration }: CheckpointContext): Reason[] {
  try {
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) return [{ code: 'E_CHECKPOINT_FILE', message: `${file} is there already` }];
    closeSync(openSync(draft, 'wx', 0o600));
    const { dev, ino } = statSync(dirname(draft));
    journal.asking(migration, { program: program.identity.id, draft, folder: { device: dev, inode: ino }, stays: request.leaveRunning });
    return [];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [{ code: 'E_CHECKPOINT_FILE', message: `${file} cannot be written: ${code ?? message}` }];
  }
}

/** Whether the checkpoint of a supervisor that died was committed. Throws where that cannot be known now. */
export function wasCommitted({ draft, folder, stays }: Drafted): boolean {
  if (stays) return false;
  const { dev, ino } = statSync(dirname(draft), { throwIfNoEntry: false }) ?? {};
  if (dev !== folder.device || ino !== folder.inode) {
    throw new MigrunError('E_CHECKPOINT_FILE', `${dirname(draft)}, where a checkpoint was being written, is not there`, { hint: 'bring it back, and start the agent again' });
  }
  return statSync(draft, { throwIfNoEntry: false }) === undefined;
}

export function removeDraft({ draft }: Drafted): void {
  rmSync(draft, { force: true });
}
