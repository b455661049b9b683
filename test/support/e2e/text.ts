import type { Readable } from 'node:stream';

/** Nothing in these tests takes that long, on a host with no CPU to spare; what does will not come at all. */
const LINE_TIMEOUT_MS = 120_000;

interface Waiter {
  look(): boolean;
  fail(reason: string): void;
}

/** What a process prints, line by line, and waiting for what it will print. */
export class Text {
  readonly lines: string[] = [];
  private readonly waiters = new Set<Waiter>();
  /** The text as it came. */
  raw = '';
  private rest = '';
  private ended = false;

  constructor(stream: Readable, private readonly describe: () => string) {
    stream.setEncoding('utf8');
    stream.on('data', (data: string) => {
      this.raw += data;
      this.take(data);
    });
    stream.on('close', () => this.end());
  }

  get all(): string {
    return this.lines.join('\n');
  }

  get last(): string {
    return this.lines.at(-1) ?? '';
  }

  /** The first line that matches, printed already or still to come; of lines from number `from` on. */
  async match(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    let looked = from;
    await this.until(`a line like ${pattern}`, () => {
      while (found === null && looked < this.lines.length) found = pattern.exec(this.lines[looked++]!);
      return found !== null;
    });
    return found!;
  }

  /** Resolves when that many more lines have come. */
  async more(count: number): Promise<void> {
    const wanted = this.lines.length + count;
    await this.until(`${count} more lines`, () => this.lines.length >= wanted);
  }

  private until(what: string, look: () => boolean): Promise<void> {
    if (look()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void =>
        settle(() => reject(new Error(`${reason} while waiting for ${what}: ${this.describe()}`)));
      const timer = setTimeout(() => fail(`nothing for ${LINE_TIMEOUT_MS} ms`), LINE_TIMEOUT_MS);
      const waiter = { look: () => (look() ? (settle(resolve), true) : false), fail };
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
        then();
      };
      if (this.ended) fail('the output ended');
      else this.waiters.add(waiter);
    });
  }

  private take(data: string): void {
    const lines = (this.rest + data).split('\n');
    this.rest = lines.pop()!;
    this.lines.push(...lines);
    for (const waiter of [...this.waiters]) waiter.look();
  }

  private end(): void {
    this.ended = true;
    if (this.rest !== '') this.take('\n');
    for (const waiter of [...this.waiters]) waiter.fail('the output ended');
  }
}
