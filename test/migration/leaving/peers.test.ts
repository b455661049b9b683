/** What the source says to the peers; and leases: nothing is committed where one may have ended. */
import { Peers } from '../../../src/migration/leaving/peers';
import type { AgentMessage } from '../../../src/protocol/control';
import { LEASE_MS, leaseFor } from '../../../src/times';

const CONNECTION = { local: { address: '10.77.0.1', port: 4884 }, remote: { address: '10.77.0.3', port: 40000 } };
const OTHER = { ...CONNECTION, remote: { address: '10.77.0.4', port: 40000 } };

type Lock = Extract<AgentMessage, { type: 'lock' }>;

/** What the agent answers to a LOCK. */
let answer: (message: Lock) => Promise<unknown>;
/** What it was asked. */
let asked: AgentMessage[];

/** An agent whose peers all do as they are told. */
function obedient({ connections }: Lock): Promise<unknown> {
  const peers = connections.map((connection, rcvNxt) => ({ connection, status: 'ok', rcvNxt, agent: '' }));
  return Promise.resolve({ type: 'locked', peers, tickets: [] });
}

function peersOf(...connections: Peers['connections']): Peers {
  const ask = (message: AgentMessage) => {
    asked.push(message);
    return answer(message as Lock) as Promise<AgentMessage>;
  };
  const peers = new Peers('', '', { agent: { ask, insist: ask }, log: { warn: () => undefined } as never });
  peers.connections = connections;
  return peers;
}

beforeEach(() => {
  answer = obedient;
  asked = [];
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Locked, and kept so. */
async function locked(renewOwn: () => void = () => undefined): Promise<Peers> {
  const peers = peersOf(CONNECTION);
  peers.beginLock([CONNECTION]);
  await peers.locking;
  peers.keepLease(renewOwn);
  return peers;
}

const roundsOf = (messages: readonly AgentMessage[]): number[] => messages.map((message) => (message as Lock).round);

test('leases that are renewed let the commit pass, however long it took', async () => {
  const peers = await locked();
  await jest.advanceTimersByTimeAsync(5 * LEASE_MS);
  peers.endLease();
  expect(() => peers.requireLeases()).not.toThrow();
});

test('a peer that is still busy with the last round is not asked again; our own locks are renewed all the same', async () => {
  let renewals = 0;
  const peers = await locked(() => void renewals++);
  asked = [];
  let finish: () => void = () => undefined;
  answer = () => new Promise((resolve) => (finish = () => resolve({ type: 'locked', peers: [], tickets: [] })));
  await jest.advanceTimersByTimeAsync(0.9 * LEASE_MS);
  expect(roundsOf(asked)).toEqual([2]);
  expect(renewals).toBe(2);
  finish();
  await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
  expect(roundsOf(asked)).toEqual([2, 3]);
  expect(renewals).toBe(3);
  peers.endLease();
});

test('a renewal that failed keeps the commit from happening', async () => {
  const peers = await locked();
  answer = () => Promise.reject(new Error('the agent went away'));
  await jest.advanceTimersByTimeAsync(LEASE_MS / 2);
  answer = obedient;
  await jest.advanceTimersByTimeAsync(LEASE_MS);
  peers.endLease();
  expect(() => peers.requireLeases()).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});

test('a lease that nobody renewed in time does too', async () => {
  const peers = await locked();
  peers.endLease();
  await jest.advanceTimersByTimeAsync(LEASE_MS + 1);
  expect(() => peers.requireLeases()).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});

test('so does one that ended earlier in the move, though it was renewed since then', async () => {
  const peers = await locked();
  peers.endLease();
  await jest.advanceTimersByTimeAsync(LEASE_MS + 1);
  peers.keepLease(() => undefined);
  await peers.lockAll([CONNECTION]);
  await jest.advanceTimersByTimeAsync(2 * LEASE_MS);
  peers.endLease();
  expect(() => peers.requireLeases()).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});

test('a program without peers is held to its own leases', async () => {
  const peers = peersOf();
  peers.beginLock([]);
  peers.keepLease(() => undefined);
  await jest.advanceTimersByTimeAsync(2 * LEASE_MS);
  peers.endLease();
  expect(() => peers.requireLeases()).not.toThrow();
  await jest.advanceTimersByTimeAsync(LEASE_MS + 1);
  expect(() => peers.requireLeases()).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
  expect(asked).toEqual([]);
});

test('of many connections the lease is longer', () => {
  const many = Array.from({ length: 5_000 }, () => CONNECTION);
  expect(peersOf(...many).leaseMs).toBe(leaseFor(5_000));
});

test('a peer that does not lock is told, and what those have received that do is known by name', async () => {
  const peers = peersOf(CONNECTION, OTHER);
  peers.beginLock([CONNECTION, OTHER]);
  await peers.locking;
  expect([...peers.locked.values()]).toEqual([{ connection: CONNECTION, rcvNxt: 0 }, { connection: OTHER, rcvNxt: 1 }]);
  answer = ({ connections }) =>
    Promise.resolve({
      type: 'locked',
      peers: connections.map((connection) => ({ connection, status: 'busy', rcvNxt: 0, agent: '' })),
      tickets: [],
    });
  await expect(peers.lockAll([CONNECTION, OTHER])).rejects.toMatchObject({ code: 'E_PEER_BUSY' });
});

test('a hold waits for the renewal that is under way, and is of all that are locked, in a round of its own', async () => {
  const peers = await locked();
  asked = [];
  let finish: () => void = () => undefined;
  answer = (message) => new Promise((resolve) => (finish = () => resolve(obedient(message))));
  await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
  peers.endLease();
  answer = obedient;
  const held = peers.hold(3_600_000);
  await jest.advanceTimersByTimeAsync(0);
  expect(roundsOf(asked)).toEqual([2]);
  finish();
  await held;
  expect(roundsOf(asked)).toEqual([2, 3]);
  expect(asked[1]).toMatchObject({ connections: [CONNECTION], leaseMs: 3_600_000 });
});
