import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { InbandSegment } from '../../../src/native/index.js';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
const node = join(__dirname, '..', 'programs', 'inband_host.js');

interface Answer {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: { message: string; code?: string; syscall?: string };
  readonly segment?: InbandSegment;
}

/** One network namespace with a Node process in it that does what programs/inband_host.js offers. */
export class Host {
  /** All in-band segments that came, in their order. */
  readonly segments: InbandSegment[] = [];
  private readonly child: ChildProcess;
  private readonly open = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  private next = 0;

  constructor(
    private readonly namespace: string,
    readonly addresses: readonly string[],
  ) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    this.child = spawn('ip', ['netns', 'exec', namespace, process.execPath, node], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.child.on('message', (answer: Answer) => this.take(answer));
  }

  get pid(): number {
    return this.child.pid!;
  }

  call<Value = void>(name: string, ...args: unknown[]): Promise<Value> {
    const id = this.next++;
    const answer = new Promise<unknown>((resolve, reject) => this.open.set(id, { resolve, reject }));
    this.child.send({ id, name, args });
    return answer as Promise<Value>;
  }

  async remove(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
    }
    ip('netns', 'del', this.namespace);
  }

  private take({ id, value, error, segment }: Answer): void {
    if (error && id === undefined) throw new Error(`${this.namespace}: ${error.message}`);
    if (segment) this.segments.push(segment);
    if (id === undefined) return;
    const { resolve, reject } = this.open.get(id)!;
    this.open.delete(id);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  }
}

/** Two hosts on one cable: 10.78.1.1 and fd78:1::1, 10.78.1.2 and fd78:1::2; each has a spare address (.11, .12) too. */
export function twoHosts(): [Host, Host] {
  const names = ['a', 'b'].map((letter) => `mgn_${process.pid}_${letter}`) as [string, string];
  const hosts = names.map((name, i) => new Host(name, [`10.78.1.${i + 1}`, `fd78:1::${i + 1}`])) as [Host, Host];
  ip('link', 'add', 'cable', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'cable', 'netns', names[1]);
  names.forEach((name, i) => {
    ip('-n', name, 'addr', 'add', `10.78.1.${i + 1}/24`, 'dev', 'cable');
    ip('-n', name, 'addr', 'add', `10.78.1.${i + 11}/32`, 'dev', 'cable');
    ip('-n', name, 'addr', 'add', `fd78:1::${i + 1}/64`, 'dev', 'cable', 'nodad');
    ip('-n', name, 'addr', 'add', `fd78:1::${i + 11}/64`, 'dev', 'cable', 'nodad', 'preferred_lft', '0');
    ip('-n', name, 'link', 'set', 'cable', 'up');
  });
  return hosts;
}
