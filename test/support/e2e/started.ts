import { type ChildProcess, spawn } from 'node:child_process';
import { Readable, type Writable } from 'node:stream';
import { Text } from './text.js';

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Lines are kept in `stdout`; bytes are for the test to read from the child itself. */
export type OutputKind = 'lines' | 'bytes';

/** A process that the test started, and its output. */
export class Started {
  readonly stdout: Text;
  readonly stderr: Text;
  /** When it has ended and all that it printed was read. */
  readonly ended: Promise<Ended>;
  readonly child: ChildProcess;

  constructor(private readonly command: readonly string[], env: NodeJS.ProcessEnv, output: OutputKind) {
    const [file, ...args] = command as [string, ...string[]];
    this.child = spawn(file, args, { stdio: 'pipe', env });
    const describe = (): string => this.describe();
    this.stdout = new Text(output === 'lines' ? this.child.stdout! : Readable.from([]), describe);
    this.stderr = new Text(this.child.stderr!, describe);
    this.ended = new Promise((resolve) => this.child.once('close', (status, signal) => resolve({ status, signal })));
    // A program that ended does not read; its exit is what the tests look at.
    this.stdin.on('error', () => undefined);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get stdin(): Writable {
    return this.child.stdin!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Throws with what it said where it does not end with 0. */
  async succeeds(): Promise<void> {
    const { status, signal } = await this.ended;
    if (status !== 0) throw new Error(`ended with ${signal ?? status}: ${this.describe()}`);
  }

  /** Resolves when it has ended by it. */
  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  private describe(): string {
    return `${this.command.join(' ')}\nlast line: ${this.stdout.last}\nstderr:\n${this.stderr.all}`;
  }
}
