import type { Started } from './support/started.js';
import type { Host, WrappedProgram } from './support/host.js';
import { cgroupRoot, cgroupsOf, Lab } from './support/lab.js';
import { onChange } from './support/files.js';

const PORT = '4884';
const PER_SECOND = '500';

let lab: Lab;
let hostA: Host;
let hostB: Host;
let hostC: Host;

beforeAll(async () => {
  lab = Lab.up();
  [hostA, hostB, hostC] = lab.all;
  await Promise.all(lab.all.map((host) => host.startAgent()));
});

afterAll(async () => {
  await lab.down();
  expect(lab.leftovers()).toEqual([]);
});

interface Pair {
  readonly server: WrappedProgram;
  readonly client: WrappedProgram;
}

/** Both wrapped, and numbers arriving. */
async function startPair(serverHost: Host, clientHost: Host): Promise<Pair> {
  const server = await serverHost.startWrapped(['count_server', PORT, PER_SECOND]);
  await server.console.stderr.match(/^listening/);
  const client = await clientHost.startWrapped(['count_client', serverHost.name, PORT]);
  await client.console.stdout.more(1);
  return { server, client };
}

/** The client ends with 1 at a gap, the server when its connection breaks: numbers that come are numbers without a gap. */
async function expectCounting({ server, client }: Pair): Promise<void> {
  await Promise.all([server.console, client.console].map(({ stdout }) => stdout.more(100)));
}

const numbers = ({ stdout }: Started): number[] => stdout.lines.map(Number);
const fromZero = (list: readonly number[]): number[] => list.map((_, index) => index);

/** The client shuts down by its end; so the server ends with 0, and prints a number for each that it sent. */
async function endPair({ server, client }: Pair): Promise<void> {
  expect(await client.console.kill('SIGTERM')).toEqual({ status: 128 + 15, signal: null });
  await server.console.ended;
  for (const { id, console } of [server, client]) {
    expect(numbers(console)).toEqual(fromZero(numbers(console)));
    await onChange(cgroupRoot(), 'the cgroup to go', () => cgroupsOf(id).length === 0);
  }
}

describe('a pair that counts', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await startPair(hostA, hostC);
  });

  afterAll(() => endPair(pair));

  test('goes on without a gap when the server moves, and leaves nothing behind', async () => {
    await hostA.migrate(pair.server.id, hostB);
    await expectCounting(pair);
    expect(await hostB.list()).toMatchObject([{ id: pair.server.id, state: 'running', connections: 1 }]);
  });

  test('leaves nothing on the host that the server left', async () => {
    await onChange(cgroupRoot(), 'the cgroup to go', () => cgroupsOf(pair.server.id).length === 1);
    expect(hostA.processes().filter(({ command }) => command.startsWith('count_server'))).toEqual([]);
    expect((await hostA.run(['ss', '-Htan', `sport = :${PORT} or dport = :${PORT}`])).stdout).toBe('');
    expect((await hostA.run(['nft', 'list', 'ruleset'])).stdout).toBe('');
    expect((await hostA.run(['ls', '/run/migrun/programs', '/run/migrun/migrations'])).stdout).not.toMatch(/[0-9a-f]{8}/);
    expect(await hostA.list()).toEqual([]);
  });

  test('goes on when the client moves', async () => {
    await hostC.migrate(pair.client.id, hostA);
    await expectCounting(pair);
    expect(await hostA.list()).toMatchObject([{ id: pair.client.id, state: 'running', connections: 1 }]);
  });

  test('goes on through ten moves in a row', async () => {
    for (let [from, to, moves] = [hostB, hostC, 0]; moves < 10; [from, to] = [to, from], moves++) {
      await from.migrate(pair.server.id, to);
      await expectCounting(pair);
    }
  });
});
