/** Connections that wait to be accepted when their program moves. */
import { FAULTY_CRIU, setFault } from '../../support/e2e/faulty-criu.js';
import type { Host } from '../../support/e2e/host.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

const KINDS = [
  {
    name: 'IPv4',
    families: { server: 4, client: 4 },
    any: '0.0.0.0',
    addresses: { hostA: '10.77.0.1', hostB: '10.77.0.2' },
    port: 5104,
  },
  {
    name: 'IPv6',
    families: { server: 6, client: 6 },
    any: '::',
    addresses: { hostA: 'fd77::1', hostB: 'fd77::2' },
    port: 5106,
  },
  {
    name: 'IPv4 in IPv6',
    families: { server: 6, client: 4 },
    any: '::',
    addresses: { hostA: '10.77.0.1', hostB: '10.77.0.2' },
    port: 5146,
  },
] as const;

const LISTENER = 0;
const FIRST = 1;

const lab = useLab();
let server: SocketBox;
let client: SocketBox;

async function all(box: SocketBox, ...commands: string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const command of commands) answers.push(await box.run(command));
  expect(answers.filter((answer) => !answer.startsWith('ok'))).toEqual([]);
  return answers;
}

async function portOf(slot: number): Promise<string> {
  return /local=\S*:(\d+)/.exec(await client.run(`facts ${slot}`))![1]!;
}

async function join(
  slot: number,
  { families, port }: (typeof KINDS)[number],
  address: string,
  bytes: number,
): Promise<void> {
  await all(client, `socket ${slot} ${families.client}`, `connect ${slot} ${address} ${port}`);
  if (bytes > 0) await all(client, `send ${slot} ${bytes}`);
}

/** The next one that is accepted is this client's, with what it said. */
async function expectNext(slot: number, bytes: number): Promise<void> {
  await all(server, `accept ${slot} ${LISTENER}`);
  expect(await server.run(`facts ${slot}`)).toContain(`:${await portOf(slot)}`);
  if (bytes > 0) await all(server, `recv ${slot} ${bytes}`);
  await all(client, `send ${slot} 3000`);
  await all(server, `recv ${slot} 3000`, `send ${slot} 3000`);
  await all(client, `recv ${slot} 3000`);
}

async function openBoxes({ families, any, port }: (typeof KINDS)[number], backlog: number): Promise<void> {
  server = await SocketBox.wrapped(lab.hostA);
  client = SocketBox.plain(lab.hostC);
  await all(
    server,
    `socket ${LISTENER} ${families.server}`,
    `bind ${LISTENER} ${any} ${port}`,
    `listen ${LISTENER} ${backlog}`,
  );
}

async function move(from: Host, to: Host): Promise<void> {
  await from.migrate(server.id!, to);
}

beforeAll(async () => {
  await lab.hostA.startAgent();
  await lab.hostC.startAgent();
  await lab.hostB.startAgent(FAULTY_CRIU);
});

afterEach(() => Promise.all([server.end(), client.end()]));

test.each(KINDS)('they move, and move again, and are accepted in order ($name)', async (kind) => {
  await openBoxes(kind, 10);
  for (const [index, bytes] of [0, 1, 40_000].entries()) await join(FIRST + index, kind, kind.addresses.hostA, bytes);
  await move(lab.hostA, lab.hostB);
  await join(4, kind, kind.addresses.hostB, 10);
  await move(lab.hostB, lab.hostA);
  for (const [index, bytes] of [0, 1, 40_000, 10].entries()) await expectNext(FIRST + index, bytes);
});

test('where the migration is undone they are where they were', async () => {
  const [kind] = KINDS;
  await openBoxes(kind, 10);
  for (const [index, bytes] of [0, 1, 40_000].entries()) await join(FIRST + index, kind, kind.addresses.hostA, bytes);
  const fault = setFault(lab.hostB, 'fails when all is restored');
  expect(await lab.hostA.refusal(server.id!, 'hostB')).toMatchObject({ code: 'E_CRIU' });
  fault.mend();
  for (const [index, bytes] of [0, 1, 40_000].entries()) await expectNext(FIRST + index, bytes);
});

test('two hundred of them move', async () => {
  const [kind] = KINDS;
  await openBoxes(kind, 256);
  const slots = Array.from({ length: 200 }, (_, index) => FIRST + index);
  for (const slot of slots) await join(slot, kind, kind.addresses.hostA, slot * 10);
  await move(lab.hostA, lab.hostB);
  for (const slot of slots) await expectNext(slot, slot * 10);
});

test('a client that has said all and is closed, and one that has reset', async () => {
  const [kind] = KINDS;
  await openBoxes(kind, 10);
  for (const slot of [1, 2]) await join(slot, kind, kind.addresses.hostA, 5000);
  await all(client, 'close 1', 'reset 2');
  await move(lab.hostA, lab.hostB);
  await all(server, `accept 1 ${LISTENER}`, `accept 2 ${LISTENER}`);
  expect(await server.run('end 1')).toBe('ok 5000');
  expect(await server.run('recv 2 5000')).toBe('ok 5000');
  expect(await server.run('recv 2 1')).toBe('error ECONNRESET');
});
