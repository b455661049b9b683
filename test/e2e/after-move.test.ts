/** What could make a connection slower after a move than before: what it agreed on, its buffers, its windows. */
import { untilGone } from '../support/e2e/counting.js';
import type { Host, WrappedProgram } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';
import { type TcpFacts, tcpFacts } from '../support/e2e/tcp-facts.js';

const PORT = '4887';
const MIB = '32';
/** The congestion window of a new connection (TCP_INIT_CWND in include/net/tcp.h). */
const FIRST_CONGESTION_WINDOW = 10;

const lab = useLab();

beforeAll(async () => {
  // BBR, where a host has that, drains its congestion window now and then, whatever has happened.
  for (const host of [lab.hostA, lab.hostB, lab.hostC])
    await host.run(['sh', '-c', 'echo reno >/proc/sys/net/ipv4/tcp_congestion_control']);
  await lab.startAgents();
});

interface Pair {
  readonly server: WrappedProgram;
  readonly client: Started;
}

/** A server that can move, on hostA, and a client on hostC that needs no migrun. */
async function start(): Promise<Pair> {
  const server = await lab.hostA.startWrapped(['bulk_server', '-r', PORT, MIB]);
  await server.console.stderr.match(/^listening/);
  return { server, client: lab.hostC.start(['bulk_client', '-r', 'hostA', PORT, MIB]) };
}

/** Sends MIB both ways at once, each byte checked. */
async function exchange({ client }: Pair, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const done = client.stdout.more(1);
    client.stdin.write('\n');
    await done;
  }
}

async function end({ server, client }: Pair): Promise<void> {
  client.stdin.end();
  await Promise.all([client.succeeds(), server.console.succeeds()]);
  await untilGone(server.id);
}

const bothEnds = (on: Host): Promise<TcpFacts[]> => Promise.all([on, lab.hostC].map((host) => tcpFacts(host, PORT)));

/**
 * Exchanges until both ends' congestion windows are open: on a busy host one exchange may end in a loss, with a small
 * window.
 */
async function untilOpened(pair: Pair): Promise<TcpFacts[]> {
  for (let left = 5;; left--) {
    await exchange(pair, 1);
    const now = await bothEnds(lab.hostB);
    if (left === 0 || now.every(({ congestionWindow }) => congestionWindow > FIRST_CONGESTION_WINDOW)) return now;
  }
}

test('a stream at full speed keeps what it had when its server moves, and has a congestion window at once', async () => {
  const pair = await start();
  await exchange(pair, 3);
  const before = await bothEnds(lab.hostA);

  let moved = false;
  const moving = lab.hostA.migrate(pair.server.id, lab.hostB).finally(() => (moved = true));
  while (!moved) await exchange(pair, 1);
  await moving;
  const after = await untilOpened(pair);
  await end(pair);

  after.forEach((end, which) => {
    const was = before[which]!;
    expect(end.agreed).toEqual(was.agreed);
    expect(end.segmentBytes).toBe(was.segmentBytes);
    // CRIU gives half of it back to the kernel, which doubles that.
    expect(end.receiveBuffer).toBeGreaterThanOrEqual(was.receiveBuffer - 1);
    expect(end.sendBuffer).toBeGreaterThanOrEqual(was.sendBuffer - 1);
    // How much of a buffer is window depends on how full its segments are.
    expect(end.window).toBeGreaterThan(was.window / 2);
    expect(end.congestionWindow).toBeGreaterThan(FIRST_CONGESTION_WINDOW);
  });
});

test('the buffers of a connection that was idle until its server moved are tuned by what it does then', async () => {
  const pair = await start();
  let before = await bothEnds(lab.hostA);
  while (before.some(({ window }) => Number.isNaN(window))) before = await bothEnds(lab.hostA); // not connected yet
  await lab.hostA.migrate(pair.server.id, lab.hostB);
  await exchange(pair, 3);
  const after = await bothEnds(lab.hostB);
  await end(pair);

  after.forEach((end, which) => {
    const was = before[which]!;
    expect(end.agreed).toEqual(was.agreed);
    for (const kind of ['receiveBuffer', 'sendBuffer', 'window', 'congestionWindow'] as const)
      expect(end[kind]).toBeGreaterThan(was[kind]);
  });
});
