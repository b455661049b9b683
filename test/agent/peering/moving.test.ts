/** Real sockets of real processes on three hosts: A's program moves to B, its peer on C follows. */

import { randomBytes } from 'node:crypto';
import type { PeeringFacts, PeerTicket } from '../../../src/protocol/control/index';
import { Lab } from '../../support/peering/lab';
import { expectReceived, introduce, lock, resume, scene, statuses, transfer } from '../../support/peering/scene';

const DEADLINE = { deadlineMs: 60_000 };
/** The longest that is still a migration's, and no hold. */
const LEASE_MS = 39_000;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.create();
});
afterEach(() => lab.endPrograms());
afterAll(() => lab.remove());

describe('a connection with data in all four queues follows', () => {
  test.each(
    [
      ['IPv4', '0.0.0.0', '10.79.0.1', '10.79.0.2', ['source', 'target']],
      ['IPv6', '::', 'fd79::1', 'fd79::2', ['source', 'target']],
      ['IPv4 on an IPv6 socket', '::', '10.79.0.1', '::ffff:10.79.0.2', ['source', 'target']],
      ['asked by the source alone', '0.0.0.0', '10.79.0.1', '10.79.0.2', ['source']],
      ['asked by the target alone', '0.0.0.0', '10.79.0.1', '10.79.0.2', ['target']],
    ] as const,
  )('%s', async (_name, listen, connect, address, roles) => {
    const at = await scene(lab, listen, connect, 1);
    const { source, target, server, client, connections, migration } = at;
    const upstream = randomBytes(1 << 20);
    // The first is more than Node takes from a paused connection.
    const downstream = [randomBytes(200_000), randomBytes(30_000), randomBytes(1000)];

    await client.call('pause', 0);
    await server.call('write', 0, downstream[0]);
    expect(statuses(await introduce(source, connections))).toEqual(['ok']);
    const locked = await lock(at, LEASE_MS);
    expect(statuses(locked)).toEqual(['ok']);
    await server.call('write', 0, downstream[1]);
    process.kill(server.pid, 'SIGSTOP');
    const written = client.call('write', 0, upstream);
    await client.call('pause', 0); // it answers in order, so the first write(2) is done

    const { restored, fds, sourceFds, moved } = await transfer(at, locked, address);
    const tickets = await source.call<PeerTicket[]>('ask', 'tickets', migration);
    const answers = await Promise.all(roles.map((role) => resume(at, role, moved, tickets)));
    for (const answer of answers) expect(statuses(answer)).toEqual(['ok']);
    await target.call('release', fds);
    await source.call('leave', server.pid, sourceFds);
    await restored.call('write', 0, downstream[2]);
    await client.call('read', 0);
    await expectReceived(client, 0, Buffer.concat(downstream));
    await expectReceived(restored, 0, upstream);
    await written;
    // What is revived as sent already waits for a timer of three seconds, and leaves as a retransmission.
    const { local, remote } = moved[0]!.to;
    expect(lab.sentOnce('B', remote.port)).toBeGreaterThanOrEqual(downstream[1]!.length + downstream[2]!.length);
    expect(lab.sentOnce('C', local.port)).toBeGreaterThan(upstream.length / 2);

    await restored.call('end', 0);
    expect(await client.call('ended', 0)).toBeNull();
    const facts = await at.peer.call<PeeringFacts>('facts');
    expect(facts).toMatchObject({ registered: 0, locks: [{ state: 'active', locked: 0, moved: 1 }] });
  });
});

test('a thousand connections follow, and can be introduced by their new host', async () => {
  const at = await scene(lab, '0.0.0.0', '10.79.0.1', 1000);
  const { source, target, peer, server, client, connections, migration } = at;
  expect(statuses(await introduce(source, connections))).toEqual(['ok']);
  const descriptors = await peer.call<number>('descriptors');
  const locked = await lock(at, LEASE_MS);
  expect(statuses(locked)).toEqual(['ok']);
  const { restored, fds, sourceFds, moved } = await transfer(at, locked, '10.79.0.2');
  const tickets = await source.call<PeerTicket[]>('ask', 'tickets', migration);
  const answers = await Promise.all([resume(at, 'source', moved, []), resume(at, 'target', moved, tickets)]);
  for (const answer of answers) expect(statuses(answer)).toEqual(['ok']);
  await target.call('release', fds);
  await source.call('leave', server.pid, sourceFds);
  for (const index of [0, 499, 999]) {
    await restored.call('write', index, Buffer.from(`to ${index}`));
    expect(await client.call('received', index, 1)).toMatchObject({ error: null });
    expect(await client.call('text', index)).toBe(`to ${index}`);
  }
  expect(await peer.call('descriptors')).toBe(descriptors);
  expect(statuses(await introduce(target, moved.map(({ to }) => to)))).toEqual(['ok']);
});

test('a migration that is cancelled leaves everything as it was', async () => {
  const at = await scene(lab, '0.0.0.0', '10.79.0.1', 2);
  const { source, peer, server, client, connections, migration } = at;
  await introduce(source, connections);
  const descriptors = await peer.call<number>('descriptors');
  await lock(at, 60_000);
  await lock(at, 60_000, 2);
  const { fds } = await source.call<{ fds: number[] }>('save', server.pid, connections);
  await source.call('stay', fds);
  expect(await source.call('ask', 'cancel', { migration, ...DEADLINE })).toMatchObject([{ status: 'ok' }]);
  const data = randomBytes(200_000);
  await Promise.all([server.call('write', 0, data), client.call('write', 1, data)]);
  await Promise.all([expectReceived(client, 0, data), expectReceived(server, 1, data)]);
  expect(await peer.call('descriptors')).toBe(descriptors);
});

test('a lease that ends unlocks; a RESUME that comes after it is followed all the same', async () => {
  const at = await scene(lab, '0.0.0.0', '10.79.0.1', 1);
  const { source, target, peer, server, client, connections } = at;
  await introduce(source, connections);
  await lock(at, 100);
  const data = randomBytes(100_000);
  await server.call('write', 0, data);
  await expectReceived(client, 0, data);

  const locked = await lock(at, 60_000, 2);
  const { restored, fds, sourceFds, moved } = await transfer(at, locked, '10.79.0.2');
  expect(statuses(await lock(at, 1, 3))).toEqual(['ok']);
  while ((await peer.call<PeeringFacts>('facts')).locks[0]!.state === 'active');
  expect(statuses(await resume(at, 'source', moved, []))).toEqual(['ok']);
  await target.call('release', fds);
  await source.call('leave', server.pid, sourceFds);
  await restored.call('write', 0, data);
  await expectReceived(client, 0, Buffer.concat([data, data]));
});

test('a peer that ends while it is locked is heard of on the new path', async () => {
  const at = await scene(lab, '0.0.0.0', '10.79.0.1', 1);
  const { source, target, server, client, connections } = at;
  await introduce(source, connections);
  const locked = await lock(at, 60_000);
  const { restored, fds, sourceFds, moved } = await transfer(at, locked, '10.79.0.2');
  await client.end();
  expect(statuses(await resume(at, 'source', moved, []))).toEqual(['ok']);
  await target.call('release', fds);
  await source.call('leave', server.pid, sourceFds);
  expect(await restored.call('ended', 0)).toBeNull();
});

test('in-band segments change nothing of a stream at full speed over a line that drops', async () => {
  const { source, peer, server, client, connections } = await scene(lab, '0.0.0.0', '10.79.0.1', 1);
  const [up, down] = [randomBytes(32 << 20), randomBytes(32 << 20)];
  const seen = new Set<string>();
  let asked = 0;
  let running = true;
  for (const host of ['A', 'C']) lab.throttle(host);
  const streams = Promise.all([
    client.call('write', 0, up),
    server.call('write', 0, down),
    expectReceived(server, 0, up),
    expectReceived(client, 0, down),
  ]).finally(() => (running = false));
  while (running) {
    for (const status of statuses(await introduce(source, connections))) seen.add(status);
    asked += 1;
  }
  for (const host of ['A', 'C']) lab.unthrottle(host);
  await streams;
  expect([...seen]).toEqual(['ok']);
  expect(asked).toBeGreaterThan(5);
  const drops = (await peer.call<PeeringFacts>('facts')).drops;
  expect(Object.values(drops).every((count) => count === 0)).toBe(true);
});

test('what cannot follow is told apart', async () => {
  const at = await scene(lab, '0.0.0.0', '10.79.0.1', 1);
  const { source, peer, client, connections } = at;
  const nowhere = { local: { address: '10.79.0.1', port: 9 }, remote: { address: '10.79.0.3', port: 9 } };
  expect(await introduce(source, [nowhere])).toMatchObject([{ status: 'no-socket', agent: '' }]);
  await peer.call('setMigrating', client.pid, true);
  expect(statuses(await introduce(source, connections))).toEqual(['busy']);
  await peer.call('setMigrating', client.pid, false);
  expect(statuses(await introduce(source, connections))).toEqual(['ok']);
  await peer.call('setMigrating', client.pid, true);
  expect(await lock(at, 10_000)).toMatchObject([{ status: 'busy', rcvNxt: 0 }]);
  await peer.call('close');
  expect(await lock(at, 10_000, 2, 100)).toMatchObject([{ status: 'no-agent' }]);
  expect(await introduce(source, connections, 100)).toMatchObject([{ status: 'no-agent', agent: '' }]);
});

test('an agent without the cluster key is nobody', async () => {
  const { source, peer, connections } = await scene(lab, '0.0.0.0', '10.79.0.1', 1);
  await source.call('close');
  await source.call('open', Buffer.alloc(32, 1));
  expect(statuses(await introduce(source, connections, 200))).toEqual(['no-agent']);
  await peer.call('close');
  await peer.call('open', Buffer.alloc(32, 1));
  expect(statuses(await introduce(source, connections))).toEqual(['ok']);
});
