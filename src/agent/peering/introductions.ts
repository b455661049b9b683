/** The asking side of HELLO: which agent is at the other end of a local program's connections. */

import { randomBytes } from 'node:crypto';
import type { Connection, Native } from '../../native/contract';
import { BoundedMap, Introduction, TOKEN_BYTES } from '../../protocol/inband';
import type { Clock, Keyring, Pair, Welcome } from '../../protocol/inband';
import { connectionName, onTheWire } from './connections';
import type { Segments } from './segments';
import type { IntroduceRequest, IntroducedConnection } from './types';

const MAX_CONNECTIONS = 100_000;
const MAX_AGENTS = 4096;
/** More would be asked again before the answers to the first are read. */
const MAX_AT_ONCE = 256;
/** How long connections to one address wait for the first of them to learn the agent's key there: it saves each a round. */
const HEAD_START_MS = 100;

/** One connection of one local program. */
export interface Acquaintance {
  readonly token: string;
  /** With the agent that has registered it. */
  pair: Pair | null;
}

export class Introductions {
  private readonly acquaintances = new BoundedMap<string, Acquaintance>(MAX_CONNECTIONS);
  private readonly pairsByAddress = new BoundedMap<string, Pair>(MAX_AGENTS);
  private readonly running = new Map<string, Introduction>();
  private closed = false;

  constructor(
    private readonly native: Native,
    private readonly clock: Clock,
    private readonly keyring: Keyring,
    private readonly segments: Segments,
  ) {}

  introduce({ group, connections, deadlineMs }: IntroduceRequest): Promise<IntroducedConnection[]> {
    const deadline = this.clock.now() + deadlineMs;
    const waves = new Map<string, Wave>();
    return Promise.all(
      connections.map(async (connection) => {
        const { address } = onTheWire(connection).remote;
        const known = waves.get(address);
        if (known !== undefined) return known.follow(() => this.introduceOne(group, connection, deadline));
        const first = this.introduceOne(group, connection, deadline);
        waves.set(address, new Wave(this.clock, first));
        return first;
      }),
    );
  }

  find(group: string, connection: Connection): Acquaintance | undefined {
    return this.acquaintances.get(acquaintanceName(group, connection));
  }

  /** For KeyringOptions.isAsking. */
  isAsking(welcome: Welcome): boolean {
    return this.running.get(runName(welcome))?.isAsking(welcome) === true;
  }

  onWelcome(welcome: Welcome, pair: Pair): void {
    this.running.get(runName(welcome))?.accept(welcome, pair);
  }

  close(): void {
    this.closed = true;
    for (const introduction of this.running.values()) introduction.stop();
  }

  private async introduceOne(group: string, connection: Connection, deadline: number): Promise<IntroducedConnection> {
    const ends = onTheWire(connection);
    const acquaintance = this.acquaint(group, ends);
    const { token } = acquaintance;
    if (this.closed) return { connection, status: 'no-agent', agent: '', token };
    if (this.native.sequences(ends) === null) return { connection, status: 'no-socket', agent: '', token };
    const hello = { type: 'hello', group, token, nonce: randomBytes(4).readUInt32BE() } as const;
    const introduction = new Introduction({
      clock: this.clock,
      keyring: this.keyring,
      hello,
      ends,
      pair: this.pairsByAddress.get(ends.remote.address) ?? null,
      deadlineMs: deadline - this.clock.now(),
      transmit: (carried) => void this.segments.send(carried, ends),
    });
    this.running.set(runName(hello), introduction);
    const introduced = await introduction.run().finally(() => this.running.delete(runName(hello)));
    if (introduced === null) return { connection, status: 'no-agent', agent: '', token };
    const { pair, status } = introduced;
    this.pairsByAddress.set(ends.remote.address, pair);
    acquaintance.pair = status === 'ok' ? pair : null;
    return { connection, status, agent: pair.peerId, token };
  }

  private acquaint(group: string, connection: Connection): Acquaintance {
    const name = acquaintanceName(group, connection);
    const known = this.acquaintances.get(name);
    if (known !== undefined) return known;
    const made = { token: randomBytes(TOKEN_BYTES).toString('hex'), pair: null };
    this.acquaintances.set(name, made);
    return made;
  }
}

function acquaintanceName(group: string, connection: Connection): string {
  return `${group} ${connectionName(connection)}`;
}

function runName({ token, nonce }: { token: string; nonce: number }): string {
  return `${token} ${nonce}`;
}

/** Connections to one address: they follow the first of them, a bounded number at a time. */
class Wave {
  private readonly headStart: Promise<unknown>;
  private readonly queue: (() => void)[] = [];
  private running = 0;

  constructor(clock: Clock, first: Promise<unknown>) {
    const waited = new Promise<void>((resolve) => {
      const callOff = clock.after(HEAD_START_MS, resolve);
      void first.finally(callOff);
    });
    this.headStart = Promise.race([first, waited]);
  }

  async follow<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.headStart;
    if (this.running >= MAX_AT_ONCE) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }
}
