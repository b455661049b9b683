/**
 * A program's stdin, stdout and stderr as streams with positions, so that not a byte is lost or repeated when the
 * console is elsewhere, or reconnects, or the program moves.
 *
 * Output that was read from the program is kept until the console acknowledges it; reading pauses while too much is
 * kept. Input counts as received once it is in the pipe. Both numbers move with the program, and so does the output
 * that is kept; what is in the pipes is CRIU's to move.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { ReadStream, WriteStream } from 'node:tty';
import type { ConsoleState } from '../migration/state';
import { native } from '../native/index';
import type { StdioEnds } from '../program/pod';

/** Output kept for a console that is there; reading pauses above. */
const KEEP_ATTACHED = 256 * 1024;
/** Output kept where no console is: the newest of it, the program is never held up. */
const KEEP_DETACHED = 1024 * 1024;
/** PIPE_BUF: a write of this size or less is done whole or not at all (pipe(7)). */
const PIPE_BUF = 4096;
const READ_SIZE = 64 * 1024;

export type OutputName = 'stdout' | 'stderr';

export type StdioState = Omit<ConsoleState, 'token'>;
type KeptOutput = StdioState[OutputName];

const NOTHING: KeptOutput = { acknowledged: 0, kept: new Uint8Array(), ended: false };

export function freshStdioState(): StdioState {
  return { stdout: { ...NOTHING }, stderr: { ...NOTHING }, received: 0, inputEnded: false };
}

/**
 * One output of the program. Positions count bytes from the program's start; where they were lost with the supervisor
 * before, from where the next console is.
 */
export class Output {
  private readonly source: Socket | undefined;
  private chunks: Buffer[];
  private size: number;
  private acknowledged: number;
  private placed: boolean;
  private attached = false;
  private held = false;
  ended: boolean;
  /** Called with what was just read and its position. */
  onData: ((data: Buffer, position: number) => void) | undefined;
  onEnd: (() => void) | undefined;

  /**
   * Without a source it has ended: a terminal has no stderr of its own. The source reads through `onread`, because only
   * so does pause() stop it at once (net.Socket): a stream that is merely paused still fills its buffer from the pipe.
   */
  constructor(open: ((onread: OnReadOpts) => Socket) | undefined, known: KeptOutput | undefined) {
    const state = known ?? NOTHING;
    this.placed = known !== undefined;
    this.source = open?.({
      buffer: Buffer.allocUnsafe(READ_SIZE),
      callback: (size, buffer) => {
        this.keep(Buffer.from(buffer.subarray(0, size)));
        return true;
      },
    });
    this.acknowledged = state.acknowledged;
    this.chunks = state.kept.length === 0 ? [] : [Buffer.from(state.kept)];
    this.size = state.kept.length;
    this.ended = state.ended || this.source === undefined;
    this.source?.on('end', () => this.end());
    // EIO is how a terminal's master says that its last slave was closed.
    this.source?.on('error', () => this.end());
    this.regulate();
  }

  /** From here on the console at `position` gets the output; what it has not seen comes at once. */
  attach(position: number): void {
    this.attached = true;
    if (this.placed) this.acknowledge(position);
    else this.acknowledged = position;
    this.placed = true;
    let at = this.acknowledged;
    for (const chunk of this.chunks) {
      this.onData?.(chunk, at);
      at += chunk.length;
    }
    if (this.ended) this.onEnd?.();
    this.regulate();
  }

  detach(): void {
    this.attached = false;
    this.onData = undefined;
    this.onEnd = undefined;
    this.regulate();
  }

  get delivered(): boolean {
    return this.size === 0;
  }

  acknowledge(position: number): void {
    let drop = position - this.acknowledged;
    if (drop <= 0 || drop > this.size) return;
    this.acknowledged = position;
    this.size -= drop;
    while (drop > 0) {
      const first = this.chunks[0] as Buffer;
      if (first.length > drop) this.chunks[0] = first.subarray(drop);
      else this.chunks.shift();
      drop -= Math.min(drop, first.length);
    }
    this.regulate();
  }

  /** Reads nothing more: the dump carries what is still in the pipe. */
  hold(): void {
    this.held = true;
    this.source?.pause();
  }

  release(): void {
    this.held = false;
    this.regulate();
  }

  state(): KeptOutput {
    return { acknowledged: this.acknowledged, kept: new Uint8Array(Buffer.concat(this.chunks)), ended: this.ended };
  }

  close(): void {
    this.source?.destroy();
  }

  private keep(data: Buffer): void {
    const position = this.acknowledged + this.size;
    this.chunks.push(data);
    this.size += data.length;
    this.onData?.(data, position);
    while (!this.attached && this.size > KEEP_DETACHED) {
      const dropped = this.chunks.shift() as Buffer;
      this.size -= dropped.length;
      this.acknowledged += dropped.length;
    }
    this.regulate();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd?.();
  }

  private regulate(): void {
    if (this.held) return;
    if (this.attached && this.size >= KEEP_ATTACHED) this.source?.pause();
    else this.source?.resume();
  }
}

/** The program's input; positions as for Output. */
export class Input {
  private queue: Buffer[] = [];
  private placed: boolean;
  private writing = false;
  private held = false;
  /** Bytes that reached the program's pipe. */
  received: number;
  ended: boolean;
  onReceived: ((position: number) => void) | undefined;

  /** `closeFarEnd` makes the other holders of the pipe's writing end close it too. */
  constructor(
    private readonly sink: Socket | undefined,
    known: StdioState | undefined,
    private readonly closeFarEnd: () => void,
  ) {
    this.placed = known !== undefined;
    this.received = known?.received ?? 0;
    this.ended = known?.inputEnded ?? sink === undefined;
    // The program closed its stdin: what comes for it is dropped, as a shell would.
    sink?.on('error', () => sink.destroy());
  }

  /** Input from `position` on; what is already there is skipped, so a console may send it again. */
  write(data: Buffer, position: number): void {
    if (!this.placed) this.received = position;
    this.placed = true;
    const next = this.received + this.queue.reduce((sum, chunk) => sum + chunk.length, 0);
    const fresh = data.subarray(Math.max(0, next - position));
    for (let at = 0; at < fresh.length; at += PIPE_BUF) this.queue.push(fresh.subarray(at, at + PIPE_BUF));
    this.pump();
  }

  end(): void {
    this.ended = true;
    this.pump();
  }

  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.pump();
  }

  /** What is queued here is the console's to send again. */
  close(): void {
    this.queue = [];
    this.sink?.destroy();
  }

  private pump(): void {
    if (this.held || this.writing) return;
    const chunk = this.queue[0];
    if (chunk === undefined) {
      if (this.ended && this.sink?.destroyed === false) {
        this.sink.destroy();
        this.closeFarEnd();
      }
      return;
    }
    if (this.sink === undefined) return;
    this.writing = true;
    this.sink.write(chunk, (error) => {
      this.writing = false;
      this.queue.shift();
      if (error === undefined || error === null) this.received += chunk.length;
      this.onReceived?.(this.received);
      this.pump();
    });
  }
}

/** Node documents this option of the constructor (net.Socket); its types have it for connect() only. */
function withOnread(options: SocketConstructorOpts, onread: OnReadOpts): SocketConstructorOpts {
  return { ...options, onread } as SocketConstructorOpts;
}

function pipeReader(fd: number): (onread: OnReadOpts) => Socket {
  return (onread) => new Socket(withOnread({ fd, readable: true, writable: false }, onread));
}

function duplicate(fd: number): number {
  const self = native.pidfdOpen(process.pid);
  try {
    return native.pidfdGetfd(self, fd);
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
      this.input = new Input(ends.stdin === undefined ? undefined : new Socket({ fd: ends.stdin, readable: false, writable: true }), state, closeFarEnd);
      this.outputs = {
        stdout: new Output(pipeReader(ends.stdout), state?.stdout),
        stderr: new Output(pipeReader(ends.stderr), state?.stderr),
      };
    } else {
      // libuv wants one handle for each direction, and each takes over its descriptor.
      const { master } = ends.terminal;
      this.input = new Input(new WriteStream(duplicate(master)), state, () => undefined);
      this.outputs = { stdout: new Output((onread) => new ReadStream(master, withOnread({}, onread)), state?.stdout), stderr: new Output(undefined, state?.stderr) };
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
