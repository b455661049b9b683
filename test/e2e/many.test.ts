/** Many connections at once: many_server and many_client end with 1 at the first number that is not the next one. */
import { untilGone } from '../support/e2e/counting.js';
import type { Host } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';

const PORT = '4886';
/** Numbers a second on all connections together: the load is the same however many share it. */
const PER_SECOND = '2000';
const PROCESSES = '10';
/** The test takes half a minute where nothing else runs. */
const LONG_MS = 240_000;

const lab = useLab();

beforeAll(() => lab.startAgents());

const serverCommand = (connections: number): string[] => ['many_server', PORT, String(connections), PER_SECOND];
const clientCommand = (
  server: Host,
  connections: number,
): string[] => ['many_client', server.name, PORT, String(connections), PROCESSES];

/** Every number was answered, which is what the server ends with 0 for. */
function expectAllAnswered(stdout: string, connections: number): void {
  const [, counted, numbers] = /^(\d+) connections, (\d+) numbers, all answered$/m.exec(stdout)!;
  expect(Number(counted)).toBe(connections);
  expect(Number(numbers)).toBeGreaterThan(0);
}

test('a server with 10,000 connections moves, and every one of ten peer processes follows', async () => {
  const connections = 10_000;
  const server = await lab.hostA.startWrapped(serverCommand(connections));
  await server.console.stderr.match(/^listening/);
  const client = lab.hostC.start(clientCommand(lab.hostA, connections));
  await server.console.stderr.match(/^\d+ connections$/);

  await lab.hostA.migrate(server.id, lab.hostB);
  expect(await lab.hostB.list()).toMatchObject([{ id: server.id, state: 'running', connections }]);
  await lab.hostB.migrate(server.id, lab.hostA);

  server.console.child.kill('SIGTERM');
  await Promise.all([server.console.succeeds(), client.succeeds()]);
  expectAllAnswered(server.console.stdout.all, connections);
  await untilGone(server.id);
}, LONG_MS);

test('a client of ten processes with a thousand connections moves', async () => {
  const connections = 1_000;
  const server = lab.hostA.start(serverCommand(connections));
  await server.stderr.match(/^listening/);
  const client = await lab.hostC.startWrapped(clientCommand(lab.hostA, connections));
  await server.stderr.match(/^\d+ connections$/);

  await lab.hostC.migrate(client.id, lab.hostB);
  await lab.hostB.migrate(client.id, lab.hostC);

  server.child.kill('SIGTERM');
  await Promise.all([server.succeeds(), client.console.succeeds()]);
  expectAllAnswered(server.stdout.all, connections);
  await untilGone(client.id);
}, LONG_MS);
