/** Locks on files: CRIU takes them again at the target, which must have them free. */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import type { Reason } from '../../vocabulary/refusal';
import { defineKind, type Facts } from '../kind';
import { namedFiles } from './files';

export const fileLocks = defineKind({
  name: 'file-locks',

  needs: {
    /** The paths of locked files. */
    schema: z.array(z.string().max(4096)),
    of(facts: Facts): string[] {
      return [...new Set(namedFiles(facts).filter(({ file }) => 'lock' in file.details).map(({ target }) => target))];
    },
    judge: (paths: string[]): Reason[] => paths.flatMap(judge),
  },
});

/**
 * Whoever has the file locked counts, also the program itself: where both hosts have the same disk, it would lock it
 * twice.
 */
function judge(path: string): Reason[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !readFileSync('/proc/locks', 'utf8').includes(` ${lockName(found)} `)) return [];
  return [{ code: 'E_FILE_LOCK', message: `${path}, on which the program has a lock, is locked there` }];
}

/** The file as lock_get_status() in fs/locks.c prints it: "MAJOR:MINOR:INODE". */
function lockName({ dev, ino }: { dev: number; ino: number }): string {
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  return `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}:${ino}`;
}
