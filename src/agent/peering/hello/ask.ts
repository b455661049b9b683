/**
 * Asks HELLO, and INTRODUCE: which agent is at the other end of a local program's connections.
 *
 * A few connections between two addresses say HELLO, which makes the agents known to each other; one INTRODUCE, in as
 * many parts as it needs, then names all others.
 */

import { randomBytes } from 'node:crypto';
import type { IntroducedPeer, IntroduceRequest } from '../../../protocol/control/index';
import { BoundedMap, Introduction, TOKEN_BYTES } from '../../../protocol/inband';
import type { Clock, Greeting, Pair, Welcome } from '../../../protocol/inband';
import { HELLO_HEAD_START_MS, INTRODUCE_DEADLINE_MS } from '../../../times';
import { type Connection, connectionName, onTheWire } from '../../../vocabulary/endpoint';
import type { AskedMigrations } from '../asked-migrations';
import type { Host } from '../host';
import type { Segments } from '../segments';
import { askIntroduce } from './ask-introduce';

/** A process can have so many descriptors (fs.nr_open). */
const MAX_CONNECTIONS = 1_048_576;
const MAX_AGENTS = 4096;
/** If more were asked at once, they would be asked again before the answers to the first are read. */
const MAX_AT_ONCE = 256;
/** So many connections between two addresses say HELLO; the others are introduced together. */
const SCOUTS = 4;

/** One connection of one local program. */
interface Acquaintance {
  readonly token: string;
  /** The pair with the agent that has registered it. */
  pair: Pair | null;
}

export class HelloAsker {
  private readonly acquaintances = new BoundedMap<string, Acquaintance>(MAX_CONNECTIONS);
  private readonly pairsByAddress = new BoundedMap<string, Pair>(MAX_AGENTS);
  private readonly running = new Map<string, Introduction>();
  private closed = false;

  constructor(
    private readonly host: Host,
    private readonly segments: Segments,
    private readonly migrations: AskedMigrations,
  ) {}

  async introduce({ group, connections, deadlineMs }: IntroduceRequest): Promise<IntroducedPeer[]> {
    const between = new Map<string, Connection[]>();
    for (const connection of connections) {
      const { local, remote, udp } = onTheWire(connection);
      const addresses = `${udp === true ? 'udp ' : ''}${local.address} ${remote.address}`;
      const known = between.get(addresses);
      if (known === undefined) between.set(addresses, [connection]);
      else known.push(connection);
    }
    const introduced = await Promise.all(
      [...between.values()].map((some) => this.introduceAll(group, some, deadlineMs)),
    );
    const byConnection = new Map(introduced.flat().map((each) => [each.connection, each]));
    return connections.map((connection) => byConnection.get(connection)!);
  }

  find(group: string, connection: Connection): Acquaintance | undefined {
    return this.acquaintances.get(acquaintanceName(group, connection));
  }

  /** Whether this WELCOME answers something that was asked from here. */
  isAsking(welcome: Welcome): boolean {
    return this.running.has(runName(welcome));
  }

  onWelcome(welcome: Welcome, pair: Pair): void {
    this.running.get(runName(welcome))?.accept(welcome, pair);
  }

  close(): void {
    this.closed = true;
    for (const introduction of this.running.values()) introduction.stop();
  }

  /** Connections between two addresses: some by HELLO, until one is answered, and then all others by INTRODUCE. */
  private async introduceAll(
    group: string,
    connections: readonly Connection[],
    deadlineMs: number,
  ): Promise<IntroducedPeer[]> {
    // An INTRODUCE is believed for its sequence numbers, and UDP has none.
    if (connections[0]?.udp === true) return this.greet(group, connections, deadlineMs);
    const greeted: IntroducedPeer[] = [];
    while (greeted.length < connections.length) {
      const scouts = connections.slice(greeted.length, greeted.length + SCOUTS);
      greeted.push(...(await this.greet(group, scouts, deadlineMs)));
      // Where this host has none of them any more, it may have the next ones.
      if (greeted.some(({ status }) => status !== 'no-socket')) break;
    }
    const others = connections.slice(greeted.length);
    const agent = greeted.find((each) => each.agent !== '')?.agent;
    const pair = others[0] === undefined ? undefined : this.pairsByAddress.get(onTheWire(others[0]).remote.address);
    if (agent === undefined || pair?.peerId !== agent) {
      return [...greeted,
        ...others.map((connection) => ({
          connection,
          status: 'no-agent' as const,
          agent: '',
          token: this.acquaint(group, onTheWire(connection)).token,
        }))];
    }
    return [...greeted, ...(await this.introduceTogether(group, pair, others, deadlineMs))];
  }

  /** Each connection says its own HELLO. */
  private greet(group: string, connections: readonly Connection[], deadlineMs: number): Promise<IntroducedPeer[]> {
    const [first, ...others] = connections.map((connection) => () => this.introduceOne(group, connection, deadlineMs));
    if (first === undefined) return Promise.resolve([]);
    const leading = first();
    const wave = new Wave(this.host.clock, leading);
    return Promise.all([leading, ...others.map((work) => wave.follow(work))]);
  }

  /** By INTRODUCE; those that cannot be registered so say HELLO for themselves. */
  private async introduceTogether(
    group: string,
    pair: Pair,
    connections: readonly Connection[],
    deadlineMs: number,
  ): Promise<IntroducedPeer[]> {
    const acquaintances = connections.map((connection) => this.acquaint(group, onTheWire(connection)));
    const named = connections.flatMap((connection, index) => {
      const ends = onTheWire(connection);
      const sequences = this.host.native.tcpSequences(ends);
      return sequences === null ? [] : [{ connection: ends, token: acquaintances[index]!.token, sequences }];
    });
    const here = new Set(named.map(({ token }) => token));
    const statuses = await askIntroduce(
      this.migrations,
      group,
      pair,
      named,
      Math.max(deadlineMs, INTRODUCE_DEADLINE_MS),
    );
    const refused = connections.filter((_connection, index) =>
      statuses.get(acquaintances[index]!.token)?.status === 'failed'
    );
    const greeted = new Map((await this.greet(group, refused, deadlineMs)).map((each) => [each.connection, each]));
    return connections.map((connection, index) => {
      const acquaintance = acquaintances[index]!;
      const alone = greeted.get(connection);
      if (alone !== undefined) return alone;
      const status = statuses.get(acquaintance.token)?.status
        ?? (here.has(acquaintance.token) ? 'no-agent' : 'no-socket');
      acquaintance.pair = status === 'ok' ? pair : null;
      return { connection, status, agent: pair.peerId, token: acquaintance.token };
    });
  }

  private async introduceOne(group: string, connection: Connection, deadlineMs: number): Promise<IntroducedPeer> {
    const ends = onTheWire(connection);
    const acquaintance = this.acquaint(group, ends);
    const { token } = acquaintance;
    if (this.closed) return { connection, status: 'no-agent', agent: '', token };
    if (ends.udp !== true && this.host.native.tcpSequences(ends) === null)
      return { connection, status: 'no-socket', agent: '', token };
    const hello = { type: 'hello', group, token, nonce: randomBytes(4).readUInt32BE() } as const;
    const introduction = new Introduction({
      clock: this.host.clock,
      keyring: this.host.keyring,
      hello,
      ends,
      pair: this.pairsByAddress.get(ends.remote.address) ?? null,
      deadlineMs,
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

function runName({ group, token, nonce }: Greeting): string {
  return `${group} ${token} ${nonce}`;
}

/** Work that is done for several connections to one address: it follows the first one's, a bounded number at a time. */
class Wave {
  private readonly headStart: Promise<unknown>;
  private readonly queue: (() => void)[] = [];
  private running = 0;

  constructor(clock: Clock, first: Promise<unknown>) {
    const waited = new Promise<void>((resolve) => {
      const callOff = clock.after(HELLO_HEAD_START_MS, resolve);
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
