/** One file, several hosts that restore it: the peers keep what they hold for one of them. */

import { randomBytes } from 'node:crypto';
import type { Peering } from '../../../src/agent/peering';
import type { FakeHost } from '../../support/peering/fake-host';
import { all, FAIR, FOUL, LEASE, MIGRATION, PEER, SEEDS, statuses, World } from '../../support/peering/world';

const OTHER_TARGET = '10.77.0.4';
const OTHER_PEER = '10.77.0.5';
const CLAIM = 30_000;

interface Restore {
  readonly host: FakeHost;
  readonly agent: Peering;
  readonly restore: string;
}

/** A program with connections to two hosts became a file, which two others have. */
async function checkpoint(weather = FAIR, seed = 1) {
  const world = new World(30, weather, seed);
  const { host: otherPeer, agent: otherPeerAgent } = world.addHost(OTHER_PEER);
  for (let port = 0; port < 30; port += 1) world.connect(otherPeer, 41_000 + port);
  await world.introduce();
  expect(statuses(await world.lock(1, 3_600_000))).toEqual(all(60, 'ok'));
  const one: Restore = { host: world.target, agent: world.agents.target, restore: restoreId() };
  const other: Restore = { ...world.addHost(OTHER_TARGET), restore: restoreId() };
  return { world, one, other, otherPeer, otherPeerAgent };
}

const restoreId = () => randomBytes(16).toString('hex');

function claim(world: World, { host, agent, restore }: Restore, leaseMs = CLAIM, deadlineMs = 5_000) {
  const connections = world.connections.map((connection) => {
    const to = { local: { address: host.address, port: connection.local.port }, remote: connection.remote };
    return { connection, to, sndUna: 4000, rcvNxt: 7000 };
  });
  return agent.claim({ migration: MIGRATION, restore, leaseMs, tickets: world.tickets(), connections, deadlineMs });
}

describe('a restore', () => {
  test.each(SEEDS)(
    'and another at the same moment: one gets all, the other nothing, in foul weather (seed %i)',
    async (seed) => {
      const { world, one, other } = await checkpoint(FOUL, seed);
      const answers = await world.settled(Promise.all([one, other].map((restore) => claim(world, restore))));
      expect(answers.map((answer) => [...new Set(statuses(answer))]).sort()).toEqual([['claimed'], ['ok']]);
    },
  );

  test('that asks again renews its claim; one that gives it back, or ends, leaves it to the next', async () => {
    const { world, one, other } = await checkpoint();
    const claims = async (
      restore: Restore,
      leaseMs?: number,
    ) => [...new Set(statuses(await world.settled(claim(world, restore, leaseMs))))];
    expect(await claims(one)).toEqual(['ok']);
    world.clock.advance(CLAIM - 1_000);
    expect(await claims(one)).toEqual(['ok']);
    world.clock.advance(CLAIM - 1_000);
    expect(await claims(other)).toEqual(['claimed']);
    expect(await claims(other, 0)).toEqual(['claimed']); // not its own
    expect(await claims({ ...other, restore: restoreId() })).toEqual(['claimed']);
    expect(await claims(one, 0)).toEqual(['ok']);
    expect(await claims(other)).toEqual(['ok']);
    expect(await claims(one)).toEqual(['claimed']);
    world.clock.advance(CLAIM);
    expect(await claims(one)).toEqual(['ok']);
  });

  test('that has the connections is told of as such, claimed or not', async () => {
    const { world, one, other } = await checkpoint();
    await world.settled(claim(world, one));
    for (const answer of await world.resume('target')) expect(statuses(answer)).toEqual(all(60, 'ok'));
    expect(statuses(await world.settled(claim(world, other)))).toEqual(all(60, 'moved'));
    world.clock.advance(CLAIM);
    expect(statuses(await world.settled(claim(world, other)))).toEqual(all(60, 'moved'));
  });

  test('is heard by those who are there, though the one to be asked first is not', async () => {
    for (const missing of [PEER, OTHER_PEER]) {
      const { world, one, other } = await checkpoint();
      world.hosts.delete(missing);
      const expected = world.connections.map(({ remote }) => (remote.address === missing ? 'no-agent' : 'ok'));
      expect(statuses(await world.settled(claim(world, one)))).toEqual(expected);
      const others = statuses(await world.settled(claim(world, other)));
      expect(others).toContain('claimed');
      expect(others).not.toContain('ok');
    }
  });

  test('asks over a connection that has its port on this host with the numbers of that one', async () => {
    const { world, one } = await checkpoint();
    const { local, remote } = world.connections[0]!;
    const there = one.host.addSocket(4_000_009, { local: { address: one.host.address, port: local.port }, remote });
    there.sndUna = 1_000_000;
    expect(statuses(await world.settled(claim(world, one)))).toEqual(all(60, 'ok'));
    const asked = one.host.sent.filter(({ destination }) =>
      destination.port === remote.port && destination.address === remote.address
    );
    expect(asked.map(({ seq, body }) => seq + body.length)).toEqual(asked.map(() => there.sndUna - 1));
    expect(asked.length).toBeGreaterThan(0);
  });

  test('does not take the answer to its last question for one to this', async () => {
    const { world, one, other, otherPeer } = await checkpoint();
    const sent = () => [...world.peer.sent, ...otherPeer.sent];
    world.hosts.delete(one.host.address);
    const earlier = new Set(sent());
    await world.settled(claim(world, one, CLAIM, 100));
    const late = sent().filter((segment) => !earlier.has(segment));
    expect(late.length).toBeGreaterThan(0);
    world.hosts.set(one.host.address, one.host);
    await world.settled(claim(world, one, 0));
    await world.settled(claim(world, other));
    for (const address of [PEER, OTHER_PEER]) world.hosts.delete(address);
    const again = claim(world, one, CLAIM, 100);
    for (const segment of late) one.host.deliver(segment, false);
    expect(statuses(await world.settled(again)).filter((status) => status === 'ok')).toEqual([]);
  });
});

test('a claim locks nothing, and outlives neither the hold nor its cancellation', async () => {
  const { world, one, other } = await checkpoint();
  await world.lock(2, LEASE);
  const calls = [...world.peer.calls];
  await world.settled(claim(world, one));
  expect(world.peer.calls).toEqual(calls);
  world.clock.advance(LEASE);
  expect(statuses(await world.settled(claim(world, other)))).toEqual(all(60, 'claimed'));
  await world.settled(world.agents.source.cancel({ migration: MIGRATION, deadlineMs: 5_000 }));
  expect(statuses(await world.settled(claim(world, other)))).toEqual(all(60, 'no-socket'));
});
