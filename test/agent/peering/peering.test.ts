/** Both sides on hosts that are made up, in weather that real ones seldom have. */

import { MESSAGE_TYPES } from '../../../src/protocol/inband';
import { all, CLIENT_PID, FOUL, GROUP, LEASE, MIGRATION, PEER, SEEDS, SERVER_PID, SOURCE, statuses, TARGET,
  World } from '../../support/peering/world';

describe('introduce', () => {
  test.each(SEEDS)('a hundred connections in foul weather (seed %i)', async (seed) => {
    const world = new World(100, FOUL, seed);
    const introduced = await world.introduce();
    expect(statuses(introduced)).toEqual(all(100, 'ok'));
    expect(introduced.map(({ connection }) => connection)).toEqual(world.connections);
    expect(new Set(introduced.map(({ token }) => token)).size).toBe(100);
    expect(world.agents.peer.facts().registered).toBe(100);
  });

  test('again: same tokens, and nothing is registered twice', async () => {
    const world = new World(3);
    const first = await world.introduce();
    expect(await world.introduce()).toEqual(first);
    expect(world.agents.peer.facts().registered).toBe(3);
  });

  test.each([3, 50])('%i to a host without an agent', async (count) => {
    const world = new World(count);
    world.agents.peer.close();
    expect(statuses(await world.introduce())).toEqual(all(count, 'no-agent'));
  });

  test('a thousand take some dozen segments', async () => {
    const world = new World(1_000);
    expect(statuses(await world.introduce())).toEqual(all(1_000, 'ok'));
    expect(world.source.sent.length).toBeLessThan(40);
    expect(world.agents.peer.facts().registered).toBe(1_000);
  });

  test('those whose streams ran on meanwhile speak for themselves', async () => {
    const world = new World(300);
    const running = world.clients.slice(100, 150);
    for (const client of running) client.rcvNxt += 1 << 24;
    expect(statuses(await world.introduce())).toEqual(all(300, 'ok'));
    expect(world.agents.peer.facts().registered).toBe(300);
  });

  test('the first ones are gone on both sides', async () => {
    const world = new World(30);
    const own = world.source.processes.get(SERVER_PID)!;
    const ended = [...own.keys()].slice(0, 6);
    for (const fd of ended) own.delete(fd);
    expect(statuses(await world.introduce())).toEqual([...all(6, 'no-socket'), ...all(24, 'ok')]);
  });

  test('says what cannot follow', async () => {
    const world = new World(4);
    world.peer.processes.get(CLIENT_PID)!.delete(3);
    const [moving] = world.peer.processes.get(CLIENT_PID)!;
    world.peer.processes.get(CLIENT_PID)!.delete(moving![0]);
    world.peer.processes.set(9, new Map([[3, moving![1]]]));
    world.migrating.add(9);
    expect(statuses(await world.introduce())).toEqual(['no-socket', 'busy', 'ok', 'ok']);
  });

  test('every segment ends before what the other kernel has acknowledged', async () => {
    const world = new World(1);
    await world.introduce();
    for (const { seq, body } of world.source.sent) expect(seq + body.length).toBe(4000 - 1);
    for (const { seq, body, ack } of world.peer.sent) {
      expect(seq + body.length).toBe(7000 - 1);
      expect(ack).toBe(4000 - 1);
    }
  });
});

describe('lock', () => {
  test.each(SEEDS)('locks each connection once, in foul weather (seed %i)', async (seed) => {
    const world = new World(200, FOUL, seed);
    await world.introduce();
    const locked = await world.lock(1, 60_000);
    expect(statuses(locked)).toEqual(all(200, 'ok'));
    expect(locked.every(({ rcvNxt }) => rcvNxt === 7000)).toBe(true);
    expect(world.peer.calls).toEqual(['socketLock 200']);
    expect(world.peer.held.size).toBe(200);
    expect(world.agents.peer.facts().locks).toMatchObject([{ state: 'active', locked: 200 }]);
  });

  test('a peer with many says first that it takes time', async () => {
    const world = new World(500);
    await world.introduce();
    const before = world.peer.sent.length;
    const locked = world.lock();
    await locked;
    const types = world.peer.sent.slice(before).map(({ option }) => option[0]);
    expect(types[0]).toBe(MESSAGE_TYPES.working);
    expect(new Set(types.slice(1))).toEqual(new Set([MESSAGE_TYPES.locked]));
  });

  test('a FIN that was received is not counted', async () => {
    const world = new World(1);
    world.clients[0]!.state = 8;
    await world.introduce();
    expect(await world.lock()).toMatchObject([{ status: 'ok', rcvNxt: 6999 }]);
  });

  test('a higher round renews the lease', async () => {
    const world = new World(1);
    await world.introduce();
    await world.lock(1);
    world.clock.advance(LEASE / 2);
    await world.lock(2);
    world.clock.advance(LEASE * 0.7);
    expect(world.clients[0]!.locked).toBe(true);
    world.clock.advance(LEASE);
    world.expectNothingLeft();
  });

  test('one that cannot be locked does not keep the others', async () => {
    const world = new World(3);
    await world.introduce();
    world.peer.failing.set('socketLock', { code: 'EPERM', inode: world.clients[1]!.inode });
    expect(statuses(await world.lock())).toEqual(['ok', 'not-permitted', 'ok']);
    expect(world.peer.held.size).toBe(2);
  });

  test('finds a socket whose descriptor has changed', async () => {
    const world = new World(1);
    await world.introduce();
    world.peer.processes.set(CLIENT_PID, new Map());
    world.peer.processes.set(77, new Map([[12, world.clients[0]!]]));
    expect(statuses(await world.lock())).toEqual(['ok']);
  });

  test('a connection that has ended, and one that was never introduced', async () => {
    const world = new World(3);
    await world.introduce(world.connections.slice(0, 2));
    world.peer.processes.get(CLIENT_PID)!.delete(3);
    expect(statuses(await world.lock())).toEqual(['no-socket', 'ok', 'no-agent']);
  });

  test('of another group locks nothing', async () => {
    const world = new World(1);
    await world.introduce();
    await world.settled(
      world.agents.source.introduce({ group: 'ff'.repeat(16), connections: world.connections, deadlineMs: 1000 }),
    );
    expect(statuses(await world.lock())).toEqual(['no-socket']);
    world.expectNothingLeft();
  });
});

describe('cancel', () => {
  test.each(SEEDS)('unlocks, in foul weather (seed %i)', async (seed) => {
    const world = new World(5, FOUL, seed);
    await world.introduce();
    await world.lock(1, 60_000);
    const cancelled = await world.settled(world.agents.source.cancel({ migration: MIGRATION, deadlineMs: 10_000 }));
    expect(statuses(cancelled)).toEqual(['ok']);
    world.expectNothingLeft();
  });

  test('no straggler of it locks again', async () => {
    const world = new World(1);
    await world.introduce();
    await world.lock();
    world.hosts.delete(PEER);
    await world.lock(2, LEASE, 1);
    const straggler = world.source.sent.at(-1)!;
    world.hosts.set(PEER, world.peer);
    await world.settled(world.agents.source.cancel({ migration: MIGRATION, deadlineMs: 1000 }));
    const locks = world.peer.calls.filter((call) => call.startsWith('socketLock'));
    world.peer.deliver(straggler, false);
    expect(world.peer.calls.filter((call) => call.startsWith('socketLock'))).toEqual(locks);
    world.expectNothingLeft();
  });
});

describe('resume', () => {
  test.each(SEEDS)('rebinds each of 300 once, asked from both sides in foul weather (seed %i)', async (seed) => {
    const world = new World(300, FOUL, seed);
    await world.introduce();
    await world.lock(1, 60_000);
    for (const answer of await world.resume('source', 'target')) expect(statuses(answer)).toEqual(all(300, 'ok'));
    expect(world.clients.every(({ connection }) => connection.remote.address === TARGET)).toBe(true);
    expect(world.peer.calls.filter((call) => call === 'tcpRevive 1')).toHaveLength(300);
    expect(world.agents.peer.facts().registered).toBe(0);
    world.expectNothingLeft();
  });

  test('after the lease has ended', async () => {
    const world = new World(2);
    await world.introduce();
    await world.lock();
    world.clock.advance(LEASE);
    world.expectNothingLeft();
    expect(statuses((await world.resume('target'))[0]!)).toEqual(['ok', 'ok']);
    world.expectNothingLeft();
  });

  test('stops a wrapped program by its freezer, and any other with ptrace', async () => {
    const world = new World(2);
    const second = world.peer.processes.get(CLIENT_PID)!.get(4)!;
    world.peer.processes.get(CLIENT_PID)!.delete(4);
    world.peer.processes.set(88, new Map([[3, second]]));
    const freeze = jest.fn(() => void (world.peer.frozen += 1));
    const thaw = jest.fn(() => void (world.peer.frozen -= 1));
    world.freezers.set(88, { freeze, thaw });
    await world.introduce();
    await world.lock();
    await world.resume('source');
    expect([freeze.mock.calls.length, thaw.mock.calls.length]).toEqual([1, 1]);
    expect(world.peer.calls).toContain(`freeze ${CLIENT_PID}`);
    world.expectNothingLeft();
  });

  test('one that cannot be revived is let go, and the others follow', async () => {
    const world = new World(3);
    await world.introduce();
    await world.lock();
    world.peer.failing.set('tcpRevive', { code: 'EADDRNOTAVAIL', inode: world.clients[1]!.inode });
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['ok', 'failed', 'ok']);
    world.expectNothingLeft();
    world.peer.failing.clear();
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['ok', 'ok', 'ok']);
  });

  test('a save that fails leaves the connection unlocked where it was', async () => {
    const world = new World(2);
    await world.introduce();
    await world.lock();
    world.peer.failing.set('tcpSave', { code: 'EOPNOTSUPP', inode: world.clients[0]!.inode });
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['failed', 'ok']);
    expect(world.clients[0]!.connection.remote.address).toBe(SOURCE);
    world.expectNothingLeft();
  });

  test('a program that cannot be stopped is not touched, and may follow later', async () => {
    const world = new World(1);
    await world.introduce();
    await world.lock();
    world.peer.failing.set('ptraceFreeze', { code: 'EPERM' });
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['not-permitted']);
    expect(world.clients[0]!).toMatchObject({ locked: true, inRepair: false });
    world.peer.failing.clear();
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['ok']);
    world.expectNothingLeft();
  });

  test.each([
    ['whose program does not stop in time', 'ptraceFreeze', 'ETIMEDOUT'],
    ['that cannot be looked for', 'findOwners', 'EMFILE'],
  ])('one %s is asked for again until it follows', async (_what, call, code) => {
    const world = new World(2);
    await world.introduce();
    await world.lock();
    world.peer.failing.set(call, { code });
    const resumed = world.resume('source');
    world.clock.after(400, () => world.peer.failing.clear());
    expect(statuses((await resumed)[0]!)).toEqual(['ok', 'ok']);
    world.expectNothingLeft();
  });

  test('where the peer has ended meanwhile nobody is frozen, and its end is for the new path', async () => {
    const world = new World(1);
    await world.introduce();
    await world.lock();
    const orphan = world.clients[0]!;
    world.peer.processes.delete(CLIENT_PID);
    world.peer.processes.set(process.pid, new Map([[100, orphan]]));
    world.peer.frozen = 1; // the fake's revive insists on it
    expect(statuses((await world.resume('source'))[0]!)).toEqual(['ok']);
    expect(world.peer.calls.some((call) => call.startsWith('freeze'))).toBe(false);
  });
});

test('close unlocks everything and ends what is being asked', async () => {
  const world = new World(2);
  await world.introduce();
  await world.lock();
  const asked = world.agents.source.introduce({ group: GROUP, connections: world.connections, deadlineMs: 60_000 });
  world.agents.peer.close();
  world.agents.source.close();
  expect(statuses(await asked)).toEqual(['no-agent', 'no-agent']);
  world.expectNothingLeft();
});
