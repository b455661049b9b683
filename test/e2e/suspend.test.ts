/** Connections that are held where they are. What TCP bears for a quarter of an hour, it bears for a second here. */
import { endPair, expectCounting, type Pair, startPair, startPlainPair, untilGone } from '../support/e2e/counting.js';
import { type Host, refusalOf } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';

const lab = useLab();
/** A multiple of the time that an unanswered connection lives here. */
const LONG_MS = 5_000;

const pass = (ms = LONG_MS) => new Promise((resolve) => setTimeout(resolve, ms));

async function succeed(
  host: Host,
  ...command: string[]
): Promise<{ connections: { status: string }[]; leftMs: number }> {
  const { status, stdout, stderr } = await host.run(['migrun', ...command, '--json']);
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as { connections: { status: string }[]; leftMs: number };
}

async function refusalTo(host: Host, ...command: string[]): Promise<string> {
  return refusalOf(await host.run(['migrun', ...command])).code;
}

/** Nothing more arrives at the client. */
async function expectStill({ client }: Pair): Promise<void> {
  const { length } = client.stdout.lines;
  await pass();
  expect(client.stdout.lines.length).toBe(length);
}

/** IPv6 addresses stay only where they are told to. */
const network = (host: Host, state: 'up' | 'down') =>
  host.run(['sh', '-c', `sysctl -qw net.ipv6.conf.eth0.keep_addr_on_down=1 && ip link set eth0 ${state}`]);

describe('suspend and resume', () => {
  const agents = new Map<Host, Started>();
  let pair: Pair;

  beforeAll(async () => {
    for (const host of [lab.hostA, lab.hostC]) {
      agents.set(host, await host.startAgent());
      await host.run(['sysctl', '-qw', 'net.ipv4.tcp_retries2=2']);
    }
  });

  afterEach(() => endPair(pair));

  test.each(['wrapped', 'plain'])(
    'a %s peer hears nothing through an outage that TCP would not bear, and then all of it',
    async (kind) => {
      const { hostA, hostC } = lab;
      pair = await (kind === 'wrapped' ? startPair : startPlainPair)({ from: hostA, to: hostC });
      const { id } = pair.server;
      const { connections, leftMs } = await succeed(hostA, 'suspend', id, '--hold', '2h');
      expect(connections).toMatchObject([{ status: 'ok' }]);
      expect(leftMs).toBeGreaterThan(7_190_000);
      await network(hostA, 'down');
      await expectStill(pair);
      await network(hostA, 'up');
      expect(await hostA.list()).toMatchObject([{ id, state: 'suspended' }]);
      expect((await succeed(hostA, 'resume', id)).connections).toMatchObject([{ status: 'ok' }]);
      await expectCounting(pair);
      expect(await hostA.list()).toMatchObject([{ id, state: 'running' }]);
    },
  );

  test("the client's host suspends as well", async () => {
    pair = await startPair({ from: lab.hostA, to: lab.hostC });
    await succeed(lab.hostC, 'suspend', pair.clientId!);
    await expectStill(pair);
    await succeed(lab.hostC, 'resume', pair.clientId!);
    await expectCounting(pair);
  });

  test('what is suspended does neither move nor follow, and can still be inspected', async () => {
    const { hostA, hostC } = lab;
    pair = await startPair({ from: hostA, to: hostC });
    const { id } = pair.server;
    expect(await refusalTo(hostA, 'resume', id)).toBe('E_NOT_SUSPENDED');
    await succeed(hostA, 'suspend', id);
    expect(await refusalTo(hostA, 'suspend', id)).toBe('E_SUSPENDED');
    expect((await hostA.refusal(id, 'hostC')).code).toBe('E_SUSPENDED');
    expect((await hostC.refusal(pair.clientId!, 'hostA')).code).toBe('E_PEER_BUSY');
    expect((await hostA.run(['migrun', 'inspect', id])).stdout).toMatch(/, suspended: /);
    expect((await hostC.run(['migrun', 'check'])).stdout).toMatch(/peers +.* 1 locked, for 60 min yet/);
    await succeed(hostA, 'resume', id);
    await expectCounting(pair);
  });

  test('after its lease it goes on by itself', async () => {
    pair = await startPair({ from: lab.hostA, to: lab.hostC });
    await succeed(lab.hostA, 'suspend', pair.server.id, '--hold', '2s');
    await expectCounting(pair);
    expect(await refusalTo(lab.hostA, 'resume', pair.server.id)).toBe('E_NOT_SUSPENDED');
  });

  test.each([['stopped', 'SIGTERM'], ['killed', 'SIGKILL']] as const)(
    'agents on both hosts that are %s and started again go on',
    async (_how, signal) => {
      const { hostA, hostC } = lab;
      pair = await startPair({ from: hostA, to: hostC });
      await succeed(hostA, 'suspend', pair.server.id, '--hold', '2h');
      for (const [host, agent] of agents) {
        await agent.kill(signal);
        agents.set(host, await host.startAgent());
      }
      await expectStill(pair);
      while ((await hostA.list())[0]?.state !== 'suspended');
      expect((await succeed(hostA, 'resume', pair.server.id)).connections).toMatchObject([{ status: 'ok' }]);
      await expectCounting(pair);
    },
  );

  test('a peer without an agent cannot be held: nothing is', async () => {
    const { hostA, hostC } = lab;
    pair = await startPair({ from: hostA, to: hostC });
    await agents.get(hostC)!.kill('SIGTERM');
    expect(await refusalTo(hostA, 'suspend', pair.server.id)).toBe('E_PEER');
    await expectCounting(pair);
    expect(await hostA.list()).toMatchObject([{ state: 'running' }]);
    agents.set(hostC, await hostC.startAgent());
  });
});

test('a program that ends while it is suspended ends its connections', async () => {
  const pair = await startPair({ from: lab.hostA, to: lab.hostC });
  await succeed(lab.hostA, 'suspend', pair.server.id);
  await pair.server.console.kill('SIGTERM');
  await pair.client.stderr.match(/the stream ended after \d+ numbers/); // at once, and not by a reset
  for (const id of [pair.server.id, pair.clientId!]) await untilGone(id);
});
