/**
 * Each program's PID 1, migrun-init, has a working directory for itself alone.
 *
 * CRIU gets hold of a PID namespace's /proc by a folder that it makes for a moment in the working directory of PID 1
 * (get_proc_fd() in criu/pie/parasite.c). Where the program was started, that could be read-only, another program that
 * moves could have its own there, and whoever watches the directory would see it.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** The same on every host, wherever its other files are: CRIU enters it again by its name. */
const ROOT = '/run/migrun/init';
const FOLDER = 'proc.crtools';

export function initDirectoryOf(id: string): string {
  return join(ROOT, id);
}

export function makeInitDirectory(id: string): string {
  const directory = initDirectoryOf(id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Removes CRIU's folder that a killed dump has left: the next one would fail. What somebody else put there stays. */
export function clearInitDirectory(id: string): void {
  removeFolder(join(initDirectoryOf(id), FOLDER));
}

export function removeInitDirectory(id: string): void {
  clearInitDirectory(id);
  removeFolder(initDirectoryOf(id));
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
