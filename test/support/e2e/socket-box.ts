import { createInterface } from 'node:readline';
import type { Host } from './host.js';
import type { Started } from './started.js';

/** Longer than the fixture waits for anything, and than two moves of a program take on a busy machine. */
const ANSWER_TIMEOUT_MS = 120_000;

/** A running test/fixtures/socket_box.c, which does with sockets what it is told. */
export class SocketBox {
  private readonly waiting = new Map<string, (answer: string) => void>();
  private commands = 0;
  private ended = false;

  private constructor(
    readonly started: Started,
    /** Its program id, where it is wrapped. */
    readonly id: string | undefined,
  ) {
    createInterface({ input: started.child.stdout! }).on('line', (line) => this.take(line));
    void started.ended.then(() => {
      this.ended = true;
      for (const settle of this.waiting.values()) settle(`it has ended: ${started.stderr.all}`);
    });
  }

  static async wrapped(host: Host): Promise<SocketBox> {
    const { console, id } = await host.startWrapped(['socket_box'], {}, 'bytes');
    return new SocketBox(console, id);
  }

  static plain(host: Host): SocketBox {
    return new SocketBox(host.start(['socket_box'], {}, 'bytes'), undefined);
  }

  /** One that was in a file, and goes on from it. */
  static restored(host: Host, file: string): SocketBox {
    return new SocketBox(host.start(['migrun', 'restore', file], {}, 'bytes'), undefined);
  }

  /** Resolves with what it says: "ok 1000", "error ECONNRESET". */
  async run(command: string): Promise<string> {
    if (this.ended) return `it has ended: ${this.started.stderr.all}`;
    const id = String(++this.commands);
    const answer = new Promise<string>((resolve) => {
      const timer = setTimeout(() => settle(`no answer in ${ANSWER_TIMEOUT_MS / 1000} s`), ANSWER_TIMEOUT_MS);
      const settle = (text: string): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
        resolve(text);
      };
      this.waiting.set(id, settle);
    });
    this.started.stdin.write(`${id} ${command}\n`);
    return answer;
  }

  /** Ends it by the end of its input. */
  async end(): Promise<void> {
    this.started.stdin.end();
    await this.started.succeeds();
  }

  private take(line: string): void {
    const space = line.indexOf(' ');
    this.waiting.get(line.slice(0, space))?.(line.slice(space + 1).trim());
  }
}
