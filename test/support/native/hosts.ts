import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { InbandSegment } from '../../../src/native/index.js';
import { Namespace } from '../namespace.js';

const node = join(__dirname, '..', '..', 'native', 'programs', 'inband_host.js');

interface Answer {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: { message: string; code?: string; syscall?: string };
  readonly segment?: InbandSegment;
}

/** One network namespace with a Node process in it that does what test/native/programs/inband_host.js offers. */
export class Host {
  /** All in-band segments that came, in their order. */
  readonly segments: InbandSegment[] = [];
  private readonly child: ChildProcess;
  private readonly open = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  private next = 0;

  constructor(
    private readonly namespace: Namespace,
    readonly addresses: readonly string[],
  ) {
    const [file, ...command] = namespace.within(process.execPath, node);
    this.child = spawn(file, command, {
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
    await this.namespace.remove();
  }

  private take({ id, value, error, segment }: Answer): void {
    if (error && id === undefined) throw new Error(`${this.addresses[0]}: ${error.message}`);
    if (segment) this.segments.push(segment);
    if (id === undefined) return;
    const { resolve, reject } = this.open.get(id)!;
    this.open.delete(id);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  }
}

/** Two hosts on one cable: 10.78.1.1 and fd78:1::1, 10.78.1.2 and fd78:1::2; each has a spare address (.11, .12) too. */
export async function twoHosts(): Promise<[Host, Host]> {
  const namespaces = [await Namespace.create(), await Namespace.create()] as const;
  namespaces[0].ip('link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', namespaces[1].pid);
  const hosts = namespaces.map((namespace, i) => {
    namespace.ip('addr', 'add', `10.78.1.${i + 1}/24`, 'dev', 'cable');
    namespace.ip('addr', 'add', `10.78.1.${i + 11}/32`, 'dev', 'cable');
    namespace.ip('addr', 'add', `fd78:1::${i + 1}/64`, 'dev', 'cable', 'nodad');
    namespace.ip('addr', 'add', `fd78:1::${i + 11}/64`, 'dev', 'cable', 'nodad', 'preferred_lft', '0');
    namespace.ip('link', 'set', 'cable', 'up');
    return new Host(namespace, [`10.78.1.${i + 1}`, `fd78:1::${i + 1}`]);
  });
  return hosts as [Host, Host];
}
