/** Connections that wait to be accepted, where the source's supervisor dies with them in hand (docs/crashes.md). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilGone } from '../../support/e2e/counting.js';
import { type HoldPoint, killAll, migrateUntil, supervisorOf, untilListed,
  untilOneRuns } from '../../support/e2e/crashing.js';
import type { Host } from '../../support/e2e/host.js';
import { cgroupsOf, useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import type { Started } from '../../support/e2e/started.js';

const PORT = 5300;
const LISTENER = 0;
const SLOTS = [1, 2, 3];

const lab = useLab();
let anchors: Map<Host, Started>;
let server: SocketBox;
let client: SocketBox;
let proxyPort = 4950;

async function all(box: SocketBox, ...commands: string[]): Promise<void> {
  for (const command of commands) expect(await box.run(command)).toMatch(/^ok/);
}

beforeAll(async () => {
  anchors = new Map();
  for (const host of [lab.hostA, lab.hostB, lab.hostC]) anchors.set(host, await host.startAgent());
});

afterEach(() => client.end());

/** Nothing of a connection that waits is lost, whoever accepts it. */
async function connectClients(address: string, port: number): Promise<void> {
  client = SocketBox.plain(lab.hostC);
  for (const slot of SLOTS)
    await all(client, `socket ${slot} 4`, `connect ${slot} ${address} ${port}`, `send ${slot} ${slot * 1000}`);
}

async function startOnHostB(): Promise<void> {
  server = await SocketBox.wrapped(lab.hostA);
  await all(server, `socket ${LISTENER} 4`, `bind ${LISTENER} 0.0.0.0 ${PORT}`, `listen ${LISTENER} 10`);
  // Its console stays behind, and so outlives the supervisor that the test kills.
  await lab.hostA.migrate(server.id!, lab.hostB);
  await connectClients('10.77.0.2', PORT);
}

/** Resolves when its migration from hostB to hostA was cut off there. */
async function killSupervisor(id: string, point: HoldPoint): Promise<void> {
  const { hostA, hostB } = lab;
  const { command, cut } = await migrateUntil(point, {
    id,
    from: hostB,
    to: hostA,
    anchor: anchors.get(hostB)!,
    port: proxyPort++,
  });
  killAll(supervisorOf(hostB, id));
  if (point !== 'before-transfer') cut();
  expect((await command.ended).status).toBe(1);
}

test.each<[string, HoldPoint]>([
  ['before the transfer', 'before-transfer'],
  ['having asked for a commit that never arrives', 'before-commit'],
])("the source's supervisor dies %s: they wait again", async (_when, point) => {
  await startOnHostB();
  await killSupervisor(server.id!, point);
  await untilListed(lab.hostB, server.id!);
  for (const slot of SLOTS) {
    await all(server, `accept ${slot} ${LISTENER}`, `recv ${slot} ${slot * 1000}`, `send ${slot} 3000`);
    await all(client, `recv ${slot} 3000`);
  }
  server.started.stdin.end();
  await server.started.ended; // what its status was, only its parent was told
});

test("the source's supervisor dies having asked for a commit whose answer never arrives: they are accepted where the program is", async () => {
  const doors = await lab.hostA.startWrapped(['doors', String(PORT)]);
  await doors.console.stdout.match(/^ready \d+ group$/);
  await lab.hostA.migrate(doors.id, lab.hostB);
  writeFileSync(join(cgroupsOf(doors.id)[0]!, 'cgroup.freeze'), '1');
  await connectClients('10.77.0.2', PORT);
  await killSupervisor(doors.id, 'before-answer');
  await untilListed(lab.hostA, doors.id);
  for (const slot of SLOTS) await all(client, `recv ${slot} ${slot * 1000}`);
  await untilOneRuns(doors.id);
  writeFileSync(join(cgroupsOf(doors.id)[0]!, 'cgroup.kill'), '1');
  await untilGone(doors.id);
});
