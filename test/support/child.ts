import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Namespace } from './namespace';

export interface Message {
  readonly id?: number;
  readonly ready?: boolean;
  readonly value?: unknown;
  readonly error?: { message: string; code?: string };
}

/** A Node process in a network namespace: a program that gives functions of its own to serve.js, which are called from here. */
export class Child {
  private readonly process: ChildProcess;
  private readonly open = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  private readonly ready: Promise<void>;
  private next = 0;

  /** `program` is a path. `onNews` gets what the program sends by itself. */
  constructor(
    namespace: Namespace,
    program: string,
    private readonly onNews: (news: Message) => void = () => undefined,
  ) {
    const [file, ...command] = namespace.within(process.execPath, program);
    this.process = spawn(file, command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    this.ready = new Promise((resolve) => this.process.once('message', () => resolve()));
    this.process.on('message', (message: Message) => this.take(message));
  }

  get pid(): number {
    return this.process.pid!;
  }

  async call<Value = void>(name: string, ...args: unknown[]): Promise<Value> {
    await this.ready;
    const id = this.next++;
    const answer = new Promise<unknown>((resolve, reject) => this.open.set(id, { resolve, reject }));
    this.process.send({ id, name, args });
    return answer as Promise<Value>;
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }

  private take(message: Message): void {
    const { id, value, error } = message;
    if (id === undefined) return this.onNews(message);
    const { resolve, reject } = this.open.get(id)!;
    this.open.delete(id);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  }
}
