/** A program's input, written in pieces that arrive whole or not at all. */
import type { Socket } from 'node:net';
import type { StdioState } from './stdio-state';

/** PIPE_BUF: a write of this size or less is done whole or not at all (pipe(7)). */
const PIPE_BUF = 4096;

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
