/**
 * Dumps in one directory take turns.
 *
 * CRIU gets hold of a PID namespace's /proc by a folder that it makes for a moment in the working directory of PID 1
 * (get_proc_fd() in criu/pie/parasite.c). Where one is there already, the dump fails: that of another program that was
 * started in the same directory, or one that a killed CRIU left behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../log';

const FOLDER = 'proc.crtools';
/** A dump that takes longer leaves its folder long before. */
const PATIENCE_S = 30;
/** A folder that is older is nobody's. */
const ABANDONED_MS = 10_000;

export class DumpTurn {
  private constructor(private readonly holder: ChildProcess) {}

  /** Waits for it. Ends by itself with this process. Where the directory cannot be locked (NFS, no flock(1)), whoever comes has it. */
  static async take(pid: number, log: Logger, tool = 'flock'): Promise<DumpTurn> {
    const directory = `/proc/${pid}/cwd`;
    const holder = spawn(tool, ['--wait', String(PATIENCE_S), directory, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = once(holder, 'close').catch(() => undefined); // it did not even start
    const isTaken = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (isTaken) removeLeft(join(directory, FOLDER), log);
    else log.warn({ directory }, 'other dumps in this directory are not waited for');
    return new DumpTurn(holder);
  }

  end(): void {
    this.holder.stdin?.end();
  }
}

/** Others, who take no turns, may be just using it, which takes them milliseconds. */
function removeLeft(folder: string, log: Logger): void {
  try {
    if (Date.now() - statSync(folder).mtimeMs > ABANDONED_MS) rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ err: error }, 'what a dump left behind cannot be removed');
  }
}
