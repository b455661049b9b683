import { untilGone } from '../support/e2e/counting.js';
import { FAULTY_CRIU, setFault } from '../support/e2e/faulty-criu.js';
import type { Host } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import { type Probe, type ProbePair, rounds, startProbes } from '../support/e2e/probing.js';

/**
 * How often each end moves. A thousand moves in a row take half an hour: MIGRUN_PROBE_MOVES=500 npx jest
 * test/e2e/probe.test.ts
 */
const MOVES = Number(process.env['MIGRUN_PROBE_MOVES'] ?? 2);
const MOVE_MS = 15_000;

/**
 * What an unwrapped peer may note: what signal(7) says of a stop, of calls that are not restarted and of bytes that
 * were moved already; and the new address.
 */
const SHOWN = [
  /: epoll_p?wait2? EINTR$/,
  /with a timeout: \w+ EINTR$/,
  /^silence: recv with a timeout EINTR$/,
  /^(send|send with a timeout|sendto|write|writev|sendmsg|sendmmsg|sendfile|splice out): \w+ is short$/,
  /^(recv all|recvmsg all|recv above a low-water mark|read above a low-water mark|recvmmsg|recvmmsg with a timeout): \w+ is short$/,
  /: getpeername changed$/,
];

const lab = useLab();

beforeAll(async () => {
  await Promise.all([lab.hostA.startAgent(), lab.hostB.startAgent(FAULTY_CRIU), lab.hostC.startAgent()]);
});

async function endPair({ server, client }: ProbePair): Promise<{ server: string[]; client: string[] }> {
  const seen = { server: await seenBy(server), client: await seenBy(client) };
  await Promise.all([server, client].map((end) => end.quit()));
  for (const { id } of [server, client]) if (id !== undefined) await untilGone(id);
  return seen;
}

async function seenBy(end: Probe): Promise<string[]> {
  return [...(await end.report()).keys()];
}

test('no call of a wrapped program shows that it moved, or that its peer did', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startProbes({ from: hostA, to: hostC, wrapped: true });
  const at: Record<'server' | 'client', Host> = { server: hostA, client: hostC };
  let free = hostB;
  for (let moves = 0; moves < 2 * MOVES; moves++) {
    const end = moves % 2 === 0 ? 'server' : 'client';
    await at[end].migrate(pair[end].id!, free);
    [at[end], free] = [free, at[end]];
    await rounds(pair);
  }
  expect(await endPair(pair)).toEqual({ server: [], client: [] });
}, 60_000 + 2 * MOVES * MOVE_MS);

test('nor does one show that a move was tried', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startProbes({ from: hostA, to: hostC, wrapped: true });
  const fault = setFault(hostB, 'fails when all is restored');
  for (const [end, host] of [['server', hostA], ['client', hostC]] as const) {
    expect(await host.refusal(pair[end].id!, 'hostB')).toMatchObject({ code: 'E_CRIU' });
    await rounds(pair);
  }
  fault.mend();
  expect(await endPair(pair)).toEqual({ server: [], client: [] });
}, 60_000 + 2 * MOVE_MS);

test('a peer that is not wrapped sees only what signal(7) says of a stop, and where its peer is', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startProbes({ from: hostA, to: hostC, wrapped: false });
  for (let [from, to, moves] = [hostA, hostB, 0]; moves < MOVES; [from, to] = [to, from], moves++) {
    await from.migrate(pair.server.id, to);
    await rounds(pair);
  }
  const { server, client } = await endPair(pair);
  expect(server).toEqual([]);
  expect(client.filter((what) => !SHOWN.some((allowed) => allowed.test(what)))).toEqual([]);
}, 60_000 + MOVES * MOVE_MS);
