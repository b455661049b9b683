/**
 * One of a program's outputs. What was read of it stays here until the console acknowledges it, so that a console that
 * comes later, here or on another host, gets it too.
 */
import type { OnReadOpts, Socket } from 'node:net';
import type { ConsoleState } from '../program/stdio';

/** So much is read ahead of a console's acknowledgements; then the program waits until the console has caught up. */
const MAX_UNACKNOWLEDGED = 256 * 1024;
/** So much stays here where there is no console, the newest of it: the program never waits for a console to come. */
const MAX_WITHOUT_CONSOLE = 1024 * 1024;
const READ_SIZE = 64 * 1024;

export type OutputState = ConsoleState['stdout'];

export const NO_OUTPUT: OutputState = { acknowledged: 0, unacknowledged: new Uint8Array(), ended: false };

/**
 * Positions count the bytes of an output from the program's start. Where a supervisor before this one died with them,
 * they count from the position that the next console names.
 */
export class Output {
  private readonly source: Socket | undefined;
  private chunks: Buffer[];
  private size: number;
  private acknowledged: number;
  private placed: boolean;
  private attached = false;
  private frozen = false;
  ended: boolean;
  /** Called with what was just read and its position. */
  onData: ((data: Buffer, position: number) => void) | undefined;
  onEnd: (() => void) | undefined;
  private onDelivered: (() => void) | undefined;

  /**
   * An output without a source has ended from the start: a terminal has no stderr of its own. The source reads through
   * `onread` because then pause() stops it at once (net.Socket): another stream that is paused still fills its buffer.
   */
  constructor(open: ((onread: OnReadOpts) => Socket) | undefined, known: OutputState | undefined) {
    const state = known ?? NO_OUTPUT;
    this.placed = known !== undefined;
    this.source = open?.({
      buffer: Buffer.allocUnsafe(READ_SIZE),
      callback: (size, buffer) => {
        this.add(Buffer.from(buffer.subarray(0, size)));
        return true;
      },
    });
    this.acknowledged = state.acknowledged;
    this.chunks = state.unacknowledged.length === 0 ? [] : [Buffer.from(state.unacknowledged)];
    this.size = state.unacknowledged.length;
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
    this.onDelivered?.();
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
    if (this.delivered) this.onDelivered?.();
    this.regulate();
  }

  /** Resolves when the console has all that was read, and at once where there is no console. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.onDelivered = resolve;
      if (!this.attached || this.delivered) resolve();
    });
  }

  /** Reads nothing more: the dump carries what is still in the pipe. */
  freeze(): void {
    this.frozen = true;
    this.source?.pause();
  }

  thaw(): void {
    this.frozen = false;
    this.regulate();
  }

  state(): OutputState {
    return {
      acknowledged: this.acknowledged,
      unacknowledged: new Uint8Array(Buffer.concat(this.chunks)),
      ended: this.ended,
    };
  }

  close(): void {
    this.source?.destroy();
  }

  private add(data: Buffer): void {
    const position = this.acknowledged + this.size;
    this.chunks.push(data);
    this.size += data.length;
    this.onData?.(data, position);
    while (!this.attached && this.size > MAX_WITHOUT_CONSOLE) {
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
    if (this.frozen) return;
    if (this.attached && this.size >= MAX_UNACKNOWLEDGED) this.source?.pause();
    else this.source?.resume();
  }
}
