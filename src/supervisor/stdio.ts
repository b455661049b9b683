/**
 * A program's stdin, stdout and stderr as streams with positions, so that not a byte is lost or repeated when the
 * console is elsewhere, or reconnects, or the program moves.
 *
 * Output that was read from the program stays here until the console acknowledges it, and while there is too much of
 * it, nothing more is read. Input counts as received once it is in the pipe. Both positions move with the program, and
 * so does the unacknowledged output; CRIU moves what is in the pipes.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadStream, WriteStream } from 'node:tty';
import { native } from '../native/index';
import { takeDescriptor } from '../program/pidfds';
import type { ConsoleState, StdioEnds } from '../program/stdio';
import { Input } from './input';
import { NO_OUTPUT, Output } from './output';

export type OutputName = 'stdout' | 'stderr';
/** What of a program's console moves with it, besides its token. */
export type StdioState = Omit<ConsoleState, 'token'>;

export function freshStdioState(): StdioState {
  return { stdout: { ...NO_OUTPUT }, stderr: { ...NO_OUTPUT }, received: 0, inputEnded: false };
}

/** Node documents this option of the constructor (net.Socket); its types have it for connect() only. */
function withOnread(options: SocketConstructorOpts, onread: OnReadOpts): SocketConstructorOpts {
  return { ...options, onread } as SocketConstructorOpts;
}

function pipeReader(fd: number): (onread: OnReadOpts) => Socket {
  return (onread) => new Socket(withOnread({ fd, readable: true, writable: false }, onread));
}

export class Stdio {
  readonly input: Input;
  readonly outputs: Record<OutputName, Output>;

  constructor(private readonly ends: StdioEnds, state: StdioState | undefined, closeFarEnd: () => void) {
    if (ends.kind === 'none') {
      this.input = new Input(undefined, state, closeFarEnd);
      this.outputs = { stdout: new Output(undefined, state?.stdout), stderr: new Output(undefined, state?.stderr) };
    } else if (ends.kind === 'pipes') {
      this.input = new Input(
        ends.stdin === undefined ? undefined : new Socket({ fd: ends.stdin, readable: false, writable: true }),
        state,
        closeFarEnd,
      );
      this.outputs = {
        stdout: new Output(pipeReader(ends.stdout), state?.stdout),
        stderr: new Output(pipeReader(ends.stderr), state?.stderr),
      };
    } else {
      // libuv wants one handle for each direction, and each takes over its descriptor.
      const { master } = ends.terminal;
      this.input = new Input(new WriteStream(takeDescriptor(process.pid, master)), state, () => undefined);
      this.outputs = {
        stdout: new Output((onread) => new ReadStream(master, withOnread({}, onread)), state?.stdout),
        stderr: new Output(undefined, state?.stderr),
      };
    }
  }

  private get all(): (Input | Output)[] {
    return [this.input, this.outputs.stdout, this.outputs.stderr];
  }

  resize(rows: number, columns: number): void {
    if (this.ends.kind !== 'terminal') return;
    Object.assign(this.ends.terminal, { rows, columns });
    native.setWindowSize(this.ends.terminal.master, rows, columns);
  }

  get ended(): boolean {
    return this.outputs.stdout.ended && this.outputs.stderr.ended;
  }

  /** The console has acknowledged everything that was read from the program. */
  get delivered(): boolean {
    return this.outputs.stdout.delivered && this.outputs.stderr.delivered;
  }

  freeze(): void {
    for (const stream of this.all) stream.freeze();
  }

  thaw(): void {
    for (const stream of this.all) stream.thaw();
  }

  /** Resolves when the console has acknowledged what it was sent, and after this time at the latest. */
  async settled(timeoutMs: number): Promise<void> {
    const all = Promise.all([this.outputs.stdout.settled(), this.outputs.stderr.settled()]);
    await Promise.race([all, sleep(timeoutMs, undefined, { ref: false })]);
  }

  state(): StdioState {
    return {
      stdout: this.outputs.stdout.state(),
      stderr: this.outputs.stderr.state(),
      received: this.input.received,
      inputEnded: this.input.ended,
    };
  }

  close(): void {
    for (const stream of this.all) stream.close();
  }
}
