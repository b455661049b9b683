/** One of a program's outputs, kept until its console has it. */
import type { OnReadOpts, Socket } from 'node:net';
import { type KeptOutput, NO_OUTPUT } from './stdio-state';

/** Output kept for a console that is there; reading pauses above. */
const KEEP_ATTACHED = 256 * 1024;
/** Output kept where no console is: the newest of it, the program is never held up. */
const KEEP_DETACHED = 1024 * 1024;
const READ_SIZE = 64 * 1024;

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
  private onDelivered: (() => void) | undefined;

  /**
   * Without a source it has ended: a terminal has no stderr of its own. The source reads through `onread`, because only
   * so does pause() stop it at once (net.Socket): a stream that is merely paused still fills its buffer from the pipe.
   */
  constructor(open: ((onread: OnReadOpts) => Socket) | undefined, known: KeptOutput | undefined) {
    const state = known ?? NO_OUTPUT;
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

  /** Once the console that is there has all that was read. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.onDelivered = resolve;
      if (!this.attached || this.delivered) resolve();
    });
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
