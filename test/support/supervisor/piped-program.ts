/** A program's stdio over real pipes, with the program's own ends in the test's hands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { native } from '../../../src/native/index';
import type { Output } from '../../../src/supervisor/output';
import { Stdio } from '../../../src/supervisor/stdio';
import { freshStdioState, type OutputName, type StdioState } from '../../../src/supervisor/stdio';
import { until } from '../until';

export class PipedProgram {
  readonly stdio: Stdio;
  /** How often init was asked to close its end of stdin. */
  farEndsClosed = 0;
  /** The program's own ends. */
  private stdin: number | undefined;
  private readonly outputs: Partial<Record<OutputName, number>>;
  /** A second reading end of stdout, to see what Stdio left in the pipe. */
  private readonly spy: number;

  constructor(state: StdioState = freshStdioState()) {
    const [stdinRead, stdin] = native.pipePair();
    const [stdout, stdoutWrite] = native.pipePair();
    const [stderr, stderrWrite] = native.pipePair();
    this.stdin = openNonBlocking(stdinRead);
    closeSync(stdinRead);
    this.outputs = { stdout: stdoutWrite, stderr: stderrWrite };
    this.spy = openNonBlocking(stdout);
    this.stdio = new Stdio({ kind: 'pipes', stdin, stdout, stderr }, state, () => this.farEndsClosed++);
  }

  print(text: string | Buffer, name: OutputName = 'stdout'): void {
    writeSync(this.endOf(name), Buffer.from(text));
  }

  /** Lets a command print to stdout; resolves when it has ended. */
  async printFrom(command: string, args: readonly string[]): Promise<void> {
    await once(spawn(command, args, { stdio: ['ignore', this.endOf('stdout'), 'inherit'] }), 'exit');
  }

  endOutput(name: OutputName): void {
    closeSync(this.endOf(name));
    delete this.outputs[name];
  }

  endOutputs(): void {
    for (const name of ['stdout', 'stderr'] as const) this.endOutput(name);
  }

  /** What lies in stdout's pipe, unread; now it is gone from there. */
  takeUnread(): Buffer {
    return drain(this.spy).data;
  }

  /** What has reached the program's stdin, and whether its end has. */
  readInput(): { data: Buffer; ended: boolean } {
    if (this.stdin === undefined) throw new Error('stdin was closed');
    return drain(this.stdin);
  }

  closeInput(): void {
    if (this.stdin !== undefined) closeSync(this.stdin);
    this.stdin = undefined;
  }

  /** Until all that is to be read by now has been read: what is printed later, on stderr, has come. */
  async settle(): Promise<void> {
    const { stderr } = this.stdio.outputs;
    for (let round = 0; round < 5; round++) {
      const before = stderr.state().unacknowledged.length;
      this.print('.', 'stderr');
      await until(() => stderr.state().unacknowledged.length > before);
    }
  }

  close(): void {
    this.stdio.close();
    this.closeInput();
    for (const fd of [this.spy, ...Object.values(this.outputs)]) closeSync(fd);
  }

  private endOf(name: OutputName): number {
    const fd = this.outputs[name];
    if (fd === undefined) throw new Error(`${name} has ended`);
    return fd;
  }
}

/** Programs of one test each. */
export function usePiped(): (state?: StdioState) => PipedProgram {
  const programs: PipedProgram[] = [];
  afterEach(() => {
    for (const program of programs.splice(0)) program.close();
  });
  return (state) => {
    const program = new PipedProgram(state);
    programs.push(program);
    return program;
  };
}

/** A console that notes what it gets and where it belongs. */
export class Listener {
  readonly pieces: { position: number; data: string }[] = [];
  ends = 0;

  constructor(readonly output: Output, position = 0) {
    output.onData = (data, at) => this.pieces.push({ position: at, data: data.toString('latin1') });
    output.onEnd = () => this.ends++;
    output.attach(position);
  }

  get text(): string {
    return this.pieces.map(({ data }) => data).join('');
  }
}

export const unacknowledgedIn = (output: Output) => Buffer.from(output.state().unacknowledged).toString('latin1');

/** A file description of its own, so that being non-blocking is not the other's. */
function openNonBlocking(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
}

function drain(fd: number): { data: Buffer; ended: boolean } {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    try {
      const length = readSync(fd, chunk);
      if (length === 0) return { data: Buffer.concat(chunks), ended: true };
      chunks.push(chunk.subarray(0, length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return { data: Buffer.concat(chunks), ended: false };
    }
  }
}
