/**
 * A program's stdin, stdout and stderr as streams with positions, so that not a byte is lost or repeated when the
 * console is elsewhere, or reconnects, or the program moves.
 *
 * Output that was read from the program is kept until the console acknowledges it; reading pauses while too much is
 * kept. Input counts as received once it is in the pipe. Both numbers move with the program, and so does the output
 * that is kept; what is in the pipes is CRIU's to move.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { ReadStream, WriteStream } from 'node:tty';
import { native } from '../native/index';
import type { StdioEnds } from '../program/pod';
import { Input } from './input';
import { Output } from './output';
import type { OutputName, StdioState } from './stdio-state';
import { within } from './within';

/** Node documents this option of the constructor (net.Socket); its types have it for connect() only. */
function withOnread(options: SocketConstructorOpts, onread: OnReadOpts): SocketConstructorOpts {
  return { ...options, onread } as SocketConstructorOpts;
}

function pipeReader(fd: number): (onread: OnReadOpts) => Socket {
  return (onread) => new Socket(withOnread({ fd, readable: true, writable: false }, onread));
}

function duplicate(fd: number): number {
  const self = native.processOpen(process.pid);
  try {
    return native.processTakeFd(self, fd);
  } finally {
    native.closeFd(self);
  }
}

/** All three together. */
export class Stdio {
  readonly input: Input;
  readonly outputs: Record<OutputName, Output>;

  constructor(
    private readonly ends: StdioEnds,
    state: StdioState | undefined,
    closeFarEnd: () => void,
  ) {
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
      this.input = new Input(new WriteStream(duplicate(master)), state, () => undefined);
      this.outputs = {
        stdout: new Output((onread) => new ReadStream(master, withOnread({}, onread)), state?.stdout),
        stderr: new Output(undefined, state?.stderr),
      };
    }
  }

  resize(rows: number, columns: number): void {
    if (this.ends.kind !== 'terminal') return;
    Object.assign(this.ends.terminal, { rows, columns });
    native.setWindowSize(this.ends.terminal.master, rows, columns);
  }

  get ended(): boolean {
    return this.outputs.stdout.ended && this.outputs.stderr.ended;
  }

  /** Everything that the program printed is with its console. */
  get delivered(): boolean {
    return this.outputs.stdout.delivered && this.outputs.stderr.delivered;
  }

  hold(): void {
    this.input.hold();
    this.outputs.stdout.hold();
    this.outputs.stderr.hold();
  }

  release(): void {
    this.outputs.stdout.release();
    this.outputs.stderr.release();
    this.input.release();
  }

  /** What the console was sent it has acknowledged, or the time is over. */
  settled(timeoutMs: number): Promise<void> {
    return within(Promise.all([this.outputs.stdout.settled(), this.outputs.stderr.settled()]), timeoutMs);
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
    this.input.close();
    this.outputs.stdout.close();
    this.outputs.stderr.close();
  }
}
