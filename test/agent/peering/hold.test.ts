/** Locks that last longer than TCP waits for an answer. Where it waits 15 minutes elsewhere, it waits two seconds here. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeeringFacts, PeerTicket } from '../../../src/protocol/control/index';
import type { Connection } from '../../../src/vocabulary/endpoint';
import { Lab } from '../../support/peering/lab';
import { agent, expectReceived, introduce, lock, resume, type Scene, scene, statuses,
  transfer } from '../../support/peering/scene';

const HOLD_MS = 60_000;
/** Twice what an unanswered connection lives on these hosts. */
const LONG_MS = 4000;
const SMALL = 20_000;

let lab: Lab;
const folder = mkdtempSync(join(tmpdir(), 'migrun-holds-'));

beforeAll(async () => {
  lab = await Lab.create();
  for (const host of ['A', 'B', 'C']) lab.set(host, 'tcp_retries2', 2);
});
afterEach(async () => {
  await lab.endPrograms();
  rmSync(folder, { recursive: true });
});
afterAll(async () => {
  await lab.remove();
});

/** What is written down of holds. */
const records = () => readdirSync(join(folder, 'peers')).map((name) => join(folder, 'peers', name));
const open = (count = 1) => scene(lab, '0.0.0.0', '10.79.0.1', count, folder);
const pass = () => new Promise((resolve) => setTimeout(resolve, LONG_MS));
const turned = ({ local, remote }: Connection): Connection => ({ local: remote, remote: local });
const userTimeouts = ({ client, connections }: Scene, from = client, asked: { call: Scene['peer']['call'] }) =>
  asked.call<number[]>('userTimeouts', from.pid, connections.map(turned));

async function hold(at: Scene): ReturnType<typeof lock> {
  expect(statuses(await introduce(at.source, at.connections))).toEqual(['ok']);
  const locked = await lock(at, HOLD_MS);
  expect(statuses(locked)).toEqual(['ok']);
  return locked;
}

/** From here on the server reads nothing: what comes is for the program on B. */
async function holdAndStop(at: Scene): ReturnType<typeof lock> {
  const locked = await hold(at);
  process.kill(at.server.pid, 'SIGSTOP');
  return locked;
}

/** To B, told there alone: the source may be gone by then. */
async function move(at: Scene, locked: Awaited<ReturnType<typeof lock>>) {
  const { restored, fds, sourceFds, moved } = await transfer(at, locked, '10.79.0.2');
  const tickets = await at.source.call<PeerTicket[]>('ask', 'tickets', at.migration);
  expect(statuses(await resume(at, 'target', moved, tickets))).toEqual(['ok']);
  await at.target.call('release', fds);
  await at.source.call('leave', at.server.pid, sourceFds);
  return { restored, connections: moved.map(({ to }) => to) };
}

test('a peer that is held goes on writing, and nothing of it times out', async () => {
  const at = await open(2);
  const locked = await holdAndStop(at);
  const [small, large] = [randomBytes(SMALL), randomBytes(8 << 20)];
  await at.client.call('write', 0, small);
  const written = at.client.call('write', 1, large); // more than its send buffer holds
  await pass();
  const { restored } = await move(at, locked);
  await Promise.all([expectReceived(restored, 0, small), expectReceived(restored, 1, large), written]);
});

test('a peer whose window was closed is held as well', async () => {
  const at = await open();
  const data = randomBytes(16 << 20);
  process.kill(at.server.pid, 'SIGSTOP');
  const written = at.client.call('write', 0, data);
  while (!(await at.peer.call<boolean>('isWindowShut', at.client.pid, turned(at.connections[0]!))));
  const locked = await hold(at);
  await pass();
  const { restored } = await move(at, locked);
  await expectReceived(restored, 0, data);
  await written;
});

test('after a hold the program has the TCP_USER_TIMEOUT that it had', async () => {
  const at = await open();
  const locked = await hold(at);
  expect((await userTimeouts(at, at.client, at.peer))[0]).toBeGreaterThan(HOLD_MS);
  const { connections } = await move(at, locked);
  expect(await userTimeouts({ ...at, connections }, at.client, at.peer)).toEqual([0]);
  expect(records()).toEqual([]);
});

test.each(['cancelled', 'lapsed'])('a hold that is %s leaves connections that go on at once', async (how) => {
  const at = await open();
  await hold(at);
  const data = randomBytes(SMALL);
  await at.client.call('write', 0, data);
  await pass();
  if (how === 'cancelled') await at.source.call('ask', 'cancel', { migration: at.migration, deadlineMs: 5000 });
  else await lock(at, 1, 2);
  await expectReceived(at.server, 0, data);
  while (
    statuses((await at.peer.call<PeeringFacts>('facts')).locks.map(({ state }) => ({ status: state })))[0]
      === 'active'
  );
  expect(await userTimeouts(at, at.client, at.peer)).toEqual([0]);
  expect(records()).toEqual([]);
});

test.each(['stopped', 'killed'])(
  "a peer's agent that is %s and started again goes on holding, and is followed",
  async (how) => {
    const at = await open(3);
    const locked = await holdAndStop(at);
    const data = randomBytes(SMALL);
    await at.client.call('write', 1, data);
    expect(records().map((path) => statSync(path).mode & 0o777)).toEqual([0o600]);
    if (how === 'stopped') await at.peer.call('close');
    await at.peer.end();
    await pass();
    const next = await agent(lab, 'C', folder);
    expect(await next.call<PeeringFacts>('facts')).toMatchObject({
      registered: 3,
      locks: [{ state: 'active', locked: 3 }],
    });
    const { restored, connections } = await move(at, locked);
    await expectReceived(restored, 1, data);
    expect(await userTimeouts({ ...at, connections }, at.client, next)).toEqual([0, 0, 0]);
    expect(records()).toEqual([]);
  },
);

test('a lease ends without any agent; the next one puts in order what is left', async () => {
  const at = await open();
  await hold(at);
  await lock(at, 1500, 2);
  await at.peer.end();
  const data = randomBytes(SMALL);
  await at.client.call('write', 0, data);
  await expectReceived(at.server, 0, data);
  const next = await agent(lab, 'C', folder);
  expect(await next.call<PeeringFacts>('facts')).toMatchObject({ locks: [{ state: 'lapsed', locked: 0 }] });
  expect(await userTimeouts(at, at.client, next)).toEqual([0]);
  await at.server.call('write', 0, data);
  await expectReceived(at.client, 0, data);
});
