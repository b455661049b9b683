import { join } from 'node:path';
import type { InbandSegment } from '../../../src/native/index.js';
import { Child, type Message } from '../child.js';
import { Namespace } from '../namespace.js';
import { repo } from '../repo.js';

interface News extends Message {
  readonly segment?: InbandSegment;
}

/** One network namespace with a Node process in it that does what test/native/programs/inband_host.js offers. */
export class Host {
  /** All in-band segments that came, in their order. */
  readonly segments: InbandSegment[] = [];
  private readonly child: Child;

  constructor(private readonly namespace: Namespace, readonly addresses: readonly string[]) {
    this.child = new Child(namespace, join(repo, 'test/native/programs/inband_host.js'), (news) => this.hear(news));
  }

  get pid(): number {
    return this.child.pid;
  }

  call<Value = void>(name: string, ...args: unknown[]): Promise<Value> {
    return this.child.call<Value>(name, ...args);
  }

  async remove(): Promise<void> {
    await this.child.end();
    await this.namespace.remove();
  }

  private hear({ segment, error }: News): void {
    if (error) throw new Error(`${this.addresses[0]}: ${error.message}`);
    if (segment) this.segments.push(segment);
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
