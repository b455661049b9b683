/** Whose UDP sockets follow, and when. */

import { pino } from 'pino';
import { UdpPeers } from '../../../src/agent/peering/udp-peers';
import { FakeClock, FakeNetwork } from '../../protocol/inband/fake-network';
import { Random } from '../../protocol/inband/random';
import { FakeHost } from './support/fake-host';

const [PEER, SOURCE, TARGET] = ['10.77.0.3', '10.77.0.1', '10.77.0.2'];
const [AGENT, GROUP, TOKEN] = ['agent', 'group', 'aa'.repeat(8)];
const OWNER = 4_000_003;
const UNCONNECTED = 7;
const at = (address: string, port: number) => ({ address, port });
const connection = { local: at(PEER, 6000), remote: at(SOURCE, 5000), udp: true };
const moved = at(TARGET, 5000);

function setUp() {
  const host = new FakeHost(PEER, new FakeNetwork(new FakeClock(), new Random(1), { loss: 0, duplication: 0, jitterMs: 1 }), new Map());
  const migrating = new Set<number>();
  const programs = { freezerOf: () => null, isMigrating: (pid: number) => migrating.has(pid), isPaused: () => false };
  return { host, migrating, peers: new UdpPeers(host.native, programs, pino({ level: 'silent' })) };
}

const reconnects = (host: FakeHost) => host.calls.filter((call) => call.startsWith('reconnect'));

test('a connected socket is connected again, once, however often it is asked for', () => {
  const { host, peers } = setUp();
  const socket = host.addSocket(OWNER, connection);
  expect(peers.register(AGENT, GROUP, TOKEN, connection)).toBe('ok');
  expect(peers.statuses(AGENT, GROUP)).toEqual([{ token: TOKEN, status: 'ok' }]);
  expect([peers.follow(AGENT, GROUP, TOKEN, moved), peers.follow(AGENT, GROUP, TOKEN, moved)]).toEqual(['ok', 'ok']);
  expect(reconnects(host)).toEqual([`reconnect ${socket.inode}`]);
  expect(socket.connection.remote).toEqual(moved);
  expect(host.held.size).toBe(0);
});

test('what has moved is not to be suspended any more, and does not move elsewhere', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  peers.register(AGENT, GROUP, TOKEN, connection);
  peers.follow(AGENT, GROUP, TOKEN, moved);
  expect(peers.statuses(AGENT, GROUP)).toEqual([]);
  expect(peers.follow(AGENT, GROUP, TOKEN, at('10.77.0.9', 5000))).toBe('failed');
});

test('all that are connected so follow, and no others', () => {
  const { host, peers } = setUp();
  const both = [host.addSocket(OWNER, connection), host.addSocket(OWNER + 1, connection)];
  host.addSocket(OWNER, { ...connection, remote: at('10.77.0.4', 5000) });
  host.addSocket(OWNER, { local: connection.local, remote: connection.remote });
  peers.register(AGENT, GROUP, TOKEN, connection);
  expect(peers.follow(AGENT, GROUP, TOKEN, moved)).toBe('ok');
  expect(reconnects(host)).toEqual(both.map(({ inode }) => `reconnect ${inode}`));
});

test('a socket that is not connected follows by itself', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, { local: connection.local, remote: at('0.0.0.0', 0), udp: true }, UNCONNECTED);
  expect(peers.register(AGENT, GROUP, TOKEN, connection)).toBe('ok');
  expect(peers.follow(AGENT, GROUP, TOKEN, moved)).toBe('ok');
  expect(reconnects(host)).toEqual([]);
});

test('where nobody is there, nobody has to follow', () => {
  const { peers } = setUp();
  expect(peers.register(AGENT, GROUP, TOKEN, connection)).toBe('ok');
  expect(peers.follow(AGENT, GROUP, TOKEN, moved)).toBe('ok');
});

test.each([
  ['connected', connection.remote, 1],
  ['not connected', at('0.0.0.0', 0), UNCONNECTED],
])('a program that is migrating itself is busy (%s)', (_name, remote, state) => {
  const { host, migrating, peers } = setUp();
  host.addSocket(OWNER, { local: connection.local, remote, udp: true }, state);
  expect(peers.register(AGENT, GROUP, TOKEN, connection)).toBe('ok');
  migrating.add(OWNER);
  expect(peers.statuses(AGENT, GROUP)).toEqual([{ token: TOKEN, status: 'busy' }]);
  expect(peers.register(AGENT, GROUP, 'bb'.repeat(8), connection)).toBe('busy');
});

test('another agent, another group and another token have none of it', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  peers.register(AGENT, GROUP, TOKEN, connection);
  expect([peers.has(AGENT, GROUP), peers.has('other', GROUP), peers.has(AGENT, 'other')]).toEqual([true, false, false]);
  expect([peers.follow('other', GROUP, TOKEN, moved), peers.follow(AGENT, 'other', TOKEN, moved), peers.follow(AGENT, GROUP, 'other', moved)]).toEqual([undefined, undefined, undefined]);
  expect(reconnects(host)).toEqual([]);
});

test('one that the kernel does not connect is told', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  peers.register(AGENT, GROUP, TOKEN, connection);
  host.failing.set('reconnectUdp', { code: 'ENETUNREACH' });
  expect(peers.follow(AGENT, GROUP, TOKEN, moved)).toBe('failed');
  host.failing.clear();
  expect(peers.follow(AGENT, GROUP, TOKEN, moved)).toBe('ok');
  expect(host.held.size).toBe(0);
});
