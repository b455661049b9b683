/** Two agents and one connection between their hosts. */

import { type Carried, type Hello, Keyring, type Pair, type Received } from '../../../src/protocol/inband';
import type { Connection } from '../../../src/vocabulary/endpoint';

export const A: Connection = {
  local: { address: '10.77.0.1', port: 40000 },
  remote: { address: '10.77.0.3', port: 4884 },
};
export const B: Connection = { local: A.remote, remote: A.local };

export const GROUP = 'a0'.repeat(16);
export const TOKEN = 'b1'.repeat(8);
export const MIGRATION = 'c2'.repeat(16);
export const HELLO: Hello = { type: 'hello', group: GROUP, token: TOKEN, nonce: 7 };

export function agent(clusterKey: Buffer | null = null, ownAddress?: string): Keyring {
  return new Keyring({ clusterKey, isAsking: () => true, isOwnAddress: (address) => address === ownAddress });
}

export function received<Kind extends Received['kind']>(
  kind: Kind,
  outcome: Received | null,
): Extract<Received, { kind: Kind }> {
  if (outcome?.kind !== kind) throw new Error(`expected a ${kind}, got ${outcome?.kind ?? 'nothing'}`);
  return outcome as Extract<Received, { kind: Kind }>;
}

export interface Acquainted {
  readonly a: Keyring;
  readonly b: Keyring;
  /** What a holds about b, and the other way round. */
  readonly ab: Pair;
  readonly ba: Pair;
}

/** After HELLO, WELCOME, proved HELLO. */
export function acquaint(a = agent(), b = agent()): Acquainted {
  const first = received('hello', b.receive(a.hello(HELLO), B));
  const answer = { ...HELLO, type: 'welcome', registered: false, status: 'ok' } as const;
  const welcome = received('welcome', a.receive(first.pair.welcome(answer, B), A));
  const second = received('hello', b.receive(welcome.pair.hello(HELLO, A), B));
  if (!second.proved) throw new Error('not proved');
  return { a, b, ab: welcome.pair, ba: second.pair };
}

export function altered(carried: Carried, alter: (copy: { option: Buffer; body: Buffer }) => void): Carried {
  const copy = { option: Buffer.from(carried.option), body: Buffer.from(carried.body) };
  alter(copy);
  return copy;
}
