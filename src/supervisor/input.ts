/**
 * A program's input. It is written to the program in pieces that arrive whole or not at all, so it is always known how
 * much of it the program can read. Positions count as those of an output do.
 */
import type { Socket } from 'node:net';
import type { ConsoleState } from '../program/stdio';

/** PIPE_BUF: a write of this size or less is done whole or not at all (pipe(7)). */
const PIPE_BUF = 4096;

export class Input {
  private queue: Buffer[] = [];
  private placed: boolean;
  private writing = false;
  private frozen = false;
  /** Bytes that reached the program's pipe. */
  received: number;
  ended: boolean;
  onReceived: ((position: number) => void) | undefined;

  /** `closeFarEnd` makes init close its descriptor of the pipe's writing end too. */
  constructor(
    private readonly sink: Socket | undefined,
    known: Pick<ConsoleState, 'received' | 'inputEnded'> | undefined,
    private readonly closeFarEnd: () => void,
  ) {
    this.placed = known !== undefined;
    this.received = known?.received ?? 0;
    this.ended = known?.inputEnded ?? sink === undefined;
    // An error says that the program has closed its stdin. What still comes for it is dropped, as a shell would do.
    sink?.on('error', () => sink.destroy());
  }

  /** Takes input that begins at `position`. What has come before is skipped, so a console may send it again. */
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

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    this.pump();
  }

  /** The console sends again what is queued here. */
  close(): void {
    this.queue = [];
    this.sink?.destroy();
  }

  private pump(): void {
    if (this.frozen || this.writing) return;
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
