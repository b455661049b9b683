/** A program on one host, its peers on another, their agents, and a target: all of it made up. */

import pino from 'pino';
import { type LocalPrograms, type PeerFreezer, Peering } from '../../../src/agent/peering';
import { type PeerTicket, peerTicket } from '../../../src/protocol/control/index';
import type { Connection } from '../../../src/vocabulary/endpoint';
import { FakeClock, FakeNetwork, type Weather } from '../inband/fake-network';
import { Random } from '../inband/random';
import { FakeHost, type FakeSocket } from './fake-host';

export const FAIR: Weather = { loss: 0, duplication: 0, jitterMs: 1 };
export const FOUL: Weather = { loss: 0.3, duplication: 0.3, jitterMs: 30 };
export const SEEDS = [1, 2, 3, 4, 5];
export const GROUP = 'a1'.repeat(16);
export const MIGRATION = 'b2'.repeat(16);
export const LEASE = 10_000;

export const [SOURCE, TARGET, PEER] = ['10.77.0.1', '10.77.0.2', '10.77.0.3'] as const;
export const SERVER_PID = 4_000_001;
export const CLIENT_PID = 4_000_002;

const log = pino({ level: 'silent' });
const turned = ({ local, remote }: Connection): Connection => ({ local: remote, remote: local });

export class World {
  readonly clock = new FakeClock();
  private readonly network: FakeNetwork;
  readonly hosts = new Map<string, FakeHost>();
  readonly source: FakeHost;
  readonly target: FakeHost;
  readonly peer: FakeHost;
  readonly agents: Record<'source' | 'target' | 'peer', Peering>;
  readonly connections: Connection[] = [];
  readonly clients: FakeSocket[] = [];
  readonly freezers = new Map<number, PeerFreezer>();
  readonly migrating = new Set<number>();

  constructor(count: number, weather: Weather = FAIR, seed = 1) {
    this.network = new FakeNetwork(this.clock, new Random(seed), weather);
    this.source = new FakeHost(SOURCE, this.network, this.hosts);
    this.target = new FakeHost(TARGET, this.network, this.hosts);
    this.peer = new FakeHost(PEER, this.network, this.hosts);
    this.agents = { source: this.open(this.source), target: this.open(this.target), peer: this.open(this.peer) };
    for (let index = 0; index < count; index += 1) this.connect(this.peer, 40_000 + index);
  }

  /** Another host, with an agent. */
  addHost(address: string): { host: FakeHost; agent: Peering } {
    const host = new FakeHost(address, this.network, this.hosts);
    return { host, agent: this.open(host) };
  }

  /** Lets time pass until it settles. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    void promise.finally(() => (done = true));
    for (let step = 0; !done && step < 20_000; step += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(2);
    }
    return promise;
  }

  introduce(connections = this.connections) {
    return this.settled(this.agents.source.introduce({ group: GROUP, connections, deadlineMs: 10_000 }));
  }

  lock(round = 1, leaseMs = LEASE, deadlineMs = 10_000) {
    const request = { migration: MIGRATION, group: GROUP, connections: this.connections, leaseMs, round, deadlineMs };
    return this.settled(this.agents.source.lock(request));
  }

  /** The source's tickets, as they come out of the channel. */
  tickets(): PeerTicket[] {
    return peerTicket.array().parse(JSON.parse(JSON.stringify(this.agents.source.tickets(MIGRATION))));
  }

  /** The program's sockets are on the target; `who` says so. */
  resume(...who: ('source' | 'target')[]) {
    const tickets = this.tickets();
    const moved = this.connections.map((connection) => {
      const to = { local: { address: TARGET, port: connection.local.port }, remote: connection.remote };
      return { connection, to, peerHas: 7000 };
    });
    if (!this.target.processes.has(SERVER_PID)) {
      for (const { to } of moved) this.target.addSocket(SERVER_PID, to);
    }
    const ask = (role: 'source' | 'target') =>
      this.agents[role].resume({ migration: MIGRATION, group: GROUP, role, tickets, moved, deadlineMs: 10_000 });
    return this.settled(Promise.all(who.map(ask)));
  }

  /** Everything that a lock makes on the peer's host is gone again. */
  expectNothingLeft(): void {
    expect(this.peer.held.size).toBe(0);
    expect(this.peer.frozen).toBe(0);
    expect(this.clients.filter(({ locked, inRepair }) => locked || inRepair)).toEqual([]);
  }

  connect(peer: FakeHost, port: number): void {
    const connection = { local: { address: SOURCE, port: 4884 }, remote: { address: peer.address, port } };
    this.source.addSocket(SERVER_PID, connection);
    this.connections.push(connection);
    this.clients.push(peer.addSocket(CLIENT_PID, turned(connection)));
  }

  private open({ native }: FakeHost): Peering {
    const programs: LocalPrograms = {
      freezerOf: (pid) => this.freezers.get(pid) ?? null,
      isMigrating: (pid) => this.migrating.has(pid),
      isSuspended: () => false,
    };
    return new Peering({ native, clusterKey: null, log, programs, clock: this.clock });
  }
}

export const statuses = (list: readonly { status: string }[]) => list.map(({ status }) => status);
export const all = (count: number, status: string) => new Array<string>(count).fill(status);
