/** Whose UDP sockets follow, and when. */

import { Sockets } from '../../../src/agent/peering/sockets';
import { UdpPeers } from '../../../src/agent/peering/udp-peers';
import type { Endpoint } from '../../../src/vocabulary/endpoint';
import { agent } from '../../support/inband/agents';
import { FakeClock, FakeNetwork } from '../../support/inband/fake-network';
import { Random } from '../../support/inband/random';
import { FakeHost } from '../../support/peering/fake-host';

const [PEER, SOURCE, TARGET] = ['10.77.0.3', '10.77.0.1', '10.77.0.2'];
const [AGENT, GROUP, TOKEN] = ['agent', 'group', 'aa'.repeat(8)];
const OWNER = 4_000_003;
const UNCONNECTED = 7;
const at = (address: string, port: number) => ({ address, port });
const connection = { local: at(PEER, 6000), remote: at(SOURCE, 5000), udp: true };
const moved = at(TARGET, 5000);

function setUp() {
  const clock = new FakeClock();
  const host = new FakeHost(
    PEER,
    new FakeNetwork(clock, new Random(1), { loss: 0, duplication: 0, jitterMs: 1 }),
    new Map(),
  );
  const migrating = new Set<number>();
  const programs = {
    freezerOf: () => null,
    isMigrating: (pid: number) => migrating.has(pid),
    isSuspended: () => false,
  };
  const { native } = host;
  const looks = jest.fn(native.ownersLookAround);
  const inside = host.inside({ clock, keyring: agent(), native: { ...native, ownersLookAround: looks }, programs });
  return { host, migrating, looks, peers: new UdpPeers(inside, new Sockets(inside)) };
}

const register = (peers: UdpPeers, token = TOKEN) =>
  peers.register([{ agent: AGENT, group: GROUP, token, connection }])[0];
const follow = (peers: UdpPeers, remote: Endpoint, agent = AGENT, group = GROUP, token = TOKEN) =>
  peers.follow(agent, group, [{ token, remote }]).get(token);
const reconnects = (host: FakeHost) => host.calls.filter((call) => call.startsWith('reconnect'));

test('a connected socket is connected again, once, however often it is asked for', () => {
  const { host, peers } = setUp();
  const socket = host.addSocket(OWNER, connection);
  expect(register(peers)).toBe('ok');
  expect(peers.statuses(AGENT, GROUP)).toEqual([{ token: TOKEN, status: 'ok' }]);
  expect([follow(peers, moved), follow(peers, moved)]).toEqual(['ok', 'ok']);
  expect(reconnects(host)).toEqual([`reconnect ${socket.inode}`]);
  expect(socket.connection.remote).toEqual(moved);
  expect(host.held.size).toBe(0);
});

test('what has moved is not to be locked any more, and does not move elsewhere', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  register(peers);
  follow(peers, moved);
  expect(peers.statuses(AGENT, GROUP)).toEqual([]);
  expect(follow(peers, at('10.77.0.9', 5000))).toBe('failed');
});

test('all that are connected so follow, and no others', () => {
  const { host, peers } = setUp();
  const both = [host.addSocket(OWNER, connection), host.addSocket(OWNER + 1, connection)];
  host.addSocket(OWNER, { ...connection, remote: at('10.77.0.4', 5000) });
  host.addSocket(OWNER, { local: connection.local, remote: connection.remote });
  register(peers);
  expect(follow(peers, moved)).toBe('ok');
  expect(reconnects(host)).toEqual(both.map(({ inode }) => `reconnect ${inode}`));
});

test('one look at all processes is enough for many, and for all that they are asked later', () => {
  const { host, looks, peers } = setUp();
  const ends = Array.from({ length: 300 }, (_, index) => ({ ...connection, local: at(PEER, 6000 + index) }));
  for (const each of ends) host.addSocket(OWNER, each);
  const claims = ends.map((each, index) => ({ agent: AGENT, group: GROUP, token: `${index}`, connection: each }));
  expect(peers.register(claims)).toEqual(claims.map(() => 'ok'));
  expect(peers.register(claims)).toEqual(claims.map(() => 'ok'));
  expect(peers.statuses(AGENT, GROUP).length).toBe(300);
  const entries = claims.map(({ token }) => ({ token, remote: moved }));
  expect([...peers.follow(AGENT, GROUP, entries).values()]).toEqual(claims.map(() => 'ok'));
  expect(reconnects(host).length).toBe(300);
  expect(looks).toHaveBeenCalledTimes(1);
});

test('a socket that is not connected follows by itself', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, { local: connection.local, remote: at('0.0.0.0', 0), udp: true }, UNCONNECTED);
  expect(register(peers)).toBe('ok');
  expect(follow(peers, moved)).toBe('ok');
  expect(reconnects(host)).toEqual([]);
});

test('where nobody is there, nobody has to follow', () => {
  const { peers } = setUp();
  expect(register(peers)).toBe('ok');
  expect(follow(peers, moved)).toBe('ok');
});

test.each([
  ['connected', connection.remote, 1],
  ['not connected', at('0.0.0.0', 0), UNCONNECTED],
])('a program that is migrating itself is busy (%s)', (_name, remote, state) => {
  const { host, migrating, peers } = setUp();
  host.addSocket(OWNER, { local: connection.local, remote, udp: true }, state);
  expect(register(peers)).toBe('ok');
  migrating.add(OWNER);
  expect(peers.statuses(AGENT, GROUP)).toEqual([{ token: TOKEN, status: 'busy' }]);
  expect(register(peers, 'bb'.repeat(8))).toBe('busy');
});

test('another agent, another group and another token have none of it', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  register(peers);
  expect([peers.has(AGENT, GROUP), peers.has('other', GROUP), peers.has(AGENT, 'other')]).toEqual([true, false, false]);
  expect([follow(peers, moved, 'other'), follow(peers, moved, AGENT, 'other'),
    follow(peers, moved, AGENT, GROUP, 'other')]).toEqual([undefined, undefined, undefined]);
  expect(reconnects(host)).toEqual([]);
});

test('one that the kernel does not connect is told', () => {
  const { host, peers } = setUp();
  host.addSocket(OWNER, connection);
  register(peers);
  host.failing.set('udpReconnect', { code: 'ENETUNREACH' });
  expect(follow(peers, moved)).toBe('failed');
  host.failing.clear();
  expect(follow(peers, moved)).toBe('ok');
  expect(host.held.size).toBe(0);
});
