/** A program on A with its peer on C, and the steps of its move to B, as the tests take them one by one. */

import { createHash, randomBytes } from 'node:crypto';
import type { SavedSocket } from '../../../src/native/index';
import type { IntroducedPeer, LockedPeer, PeerAnswer, PeerTicket } from '../../../src/protocol/control/index';
import type { Connection } from '../../../src/vocabulary/endpoint';
import type { Child } from '../child';
import type { Lab } from './lab';

const GROUP = 'a1'.repeat(16);
/** An answer comes long before this, also on a host with no CPU to spare. */
const ANSWER_MS = 60_000;

/** An agent; with a folder, what it holds outlives it. */
export async function agent(lab: Lab, host: string, holdsDir: string | null = null): Promise<Child> {
  const child = lab.start(host, 'agent.js');
  await child.call('open', null, holdsDir);
  return child;
}

export interface Scene {
  readonly lab: Lab;
  readonly source: Child;
  readonly target: Child;
  readonly peer: Child;
  readonly server: Child;
  readonly client: Child;
  /** The connections, as the server has them. */
  readonly connections: Connection[];
  readonly migration: string;
}

/** A server on A that a client on C is connected to, and agents on all hosts. */
export async function scene(
  lab: Lab,
  listen: string,
  connect: string,
  count: number,
  holdsDir: string | null = null,
): Promise<Scene> {
  const [source, target, peer] = await Promise.all([agent(lab, 'A'), agent(lab, 'B'), agent(lab, 'C', holdsDir)]);
  const server = lab.start('A', 'program.js');
  const client = lab.start('C', 'program.js');
  const port = await server.call<number>('listen', listen);
  await client.call('connect', connect, port, count);
  const connections = await server.call<Connection[]>('accepted', count);
  const migration = randomBytes(16).toString('hex');
  return { lab, source, target, peer, server, client, connections, migration };
}

export const introduce = (from: Child, connections: Connection[], deadlineMs = ANSWER_MS) =>
  from.call<IntroducedPeer[]>('ask', 'introduce', { group: GROUP, connections, deadlineMs });

export const lock = ({ source, connections, migration }: Scene, leaseMs: number, round = 1, deadlineMs = ANSWER_MS) =>
  source.call<LockedPeer[]>('ask', 'lock', { migration, group: GROUP, connections, leaseMs, round, deadlineMs });

export const statuses = (list: readonly { status: string }[]) => [...new Set(list.map(({ status }) => status))];

export interface Arrived {
  readonly restored: Child;
  readonly fds: number[];
  readonly sourceFds: number[];
  readonly moved: { connection: Connection; to: Connection; peerHas: number }[];
}

/** Saves the server's sockets on A and revives them in another program on B. */
export async function transfer(at: Scene, locked: LockedPeer[], address: string): Promise<Arrived> {
  const { lab, source, target, server, connections } = at;
  const { fds: sourceFds, saved } = await source.call<{ fds: number[]; saved: SavedSocket[] }>(
    'save',
    server.pid,
    connections,
  );
  const loopback = saved[0]!.family === 10 ? '::1' : '127.0.0.1';
  const restored = lab.start('B', 'program.js');
  const anchor = lab.start('B', 'program.js');
  const port = await anchor.call<number>('listen', loopback);
  const placeholders = await restored.call<Connection[]>('connect', loopback, port, connections.length);
  const requests = saved.map((state, index) => ({
    saved: state,
    local: { address, port: state.local.port },
    remote: state.remote,
    peerHas: locked[index]!.rcvNxt,
  }));
  const fds = await target.call<number[]>('revive', restored.pid, placeholders, requests);
  const moved = requests.map(({ local, remote, saved: { rcvNxt } }, index) => ({
    connection: connections[index]!,
    to: { local, remote },
    peerHas: rcvNxt,
  }));
  return { restored, fds, sourceFds, moved };
}

export const resume = (
  at: Scene,
  role: 'source' | 'target',
  moved: Arrived['moved'],
  tickets: PeerTicket[],
  deadlineMs = ANSWER_MS,
) =>
  at[role].call<PeerAnswer[]>('ask', 'resume', {
    migration: at.migration,
    group: GROUP,
    role,
    tickets,
    moved,
    deadlineMs,
  });

const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');

interface Received {
  readonly length: number;
  readonly hash: string;
  readonly error: string | null;
}

export async function expectReceived(child: Child, index: number, data: Buffer): Promise<void> {
  const received = await child.call<Received>('received', index, data.length);
  expect(received).toEqual({ length: data.length, hash: digest(data), error: null });
}
