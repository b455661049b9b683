import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** A child of a test that speaks in lines. */
export class Target {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  private readonly lines: AsyncIterator<string>;

  constructor(command: string, args: readonly string[] = []) {
    this.child = spawn(command, args, { stdio: 'pipe' });
    this.pid = this.child.pid!;
    this.child.stderr.pipe(process.stderr);
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the program ended');
    return value;
  }

  say(text: string): void {
    this.child.stdin.write(`${text}\n`);
  }

  /** Kills it and waits for its end. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

/** State letters of all threads (proc(5)): S sleeping, R running, T stopped, t stopped by a tracer. */
export function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0]!;
  });
}

/** States of the threads that no tracer has stopped. One that has ended cannot be stopped; its tracer keeps it as Z. */
export function unstopped(pid: number): string[] {
  return threadStates(pid).filter((state) => state !== 't' && state !== 'X' && state !== 'Z');
}

/** Clock ticks that all threads have run. */
export function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
