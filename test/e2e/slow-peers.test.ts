/** Peers whose hosts have no CPU to spare just when a program arrives. */
import { setTimeout } from 'node:timers/promises';
import { endPair, expectCounting, PORT, startPair } from '../support/e2e/counting.js';
import { agentOf, migrateUntil, untilListed } from '../support/e2e/crashing.js';
import type { Host } from '../support/e2e/host.js';
import { cgroupsOf, useLab } from '../support/e2e/lab.js';
import { rounds, startProbes } from '../support/e2e/probing.js';
import { startUnfreezable } from '../support/e2e/unfreezable.js';

/**
 * How long the peers say nothing: longer than the program waits for them, and than a message is waited for; shorter
 * than a lease.
 */
const STANDSTILL_MS = 6_000;

const lab = useLab();

const OLD_EDGE = 'old edge: epoll_wait tells of nothing';

beforeAll(() => lab.startAgents());

/** Moves it from hostA to hostB while the agent of hostC stands still; `meanwhile` before that goes on. What migrate said. */
async function moveWithout(hostC: Host, id: string, port: number, meanwhile: () => Promise<void>): Promise<string> {
  const { hostA, hostB } = lab;
  const agent = agentOf(hostC);
  const { command, release } = await migrateUntil('before-commit', {
    id,
    from: hostA,
    to: hostB,
    anchor: hostA.start(['sleep', 'infinity']),
    port,
  });
  process.kill(agent, 'SIGSTOP');
  try {
    release();
    await meanwhile();
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await command.succeeds();
  expect(command.stdout.all).not.toMatch(/^lost/m);
  return command.stdout.all;
}

test('a peer whose agent gets no CPU for seconds after the commit follows when it gets some; the program does not wait for it', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startPair({ from: hostA, to: hostC });
  const { id } = pair.server;
  const said = await moveWithout(hostC, id, 4900, async () => {
    await setTimeout(STANDSTILL_MS);
    expect(await hostB.list()).toMatchObject([{ id, state: 'arriving', connections: 1 }]);
    expect(await hostB.refusal(id, 'hostA')).toMatchObject({ code: 'E_BUSY' });
  });
  const [, frozenMs] = /, ([\d.]+) ms from its freeze/.exec(said)!;
  expect(Number(frozenMs)).toBeLessThan(STANDSTILL_MS / 2);
  await expectCounting(pair);
  expect((await hostC.run(['ss', '-Htn', `( dport = :${PORT} )`])).stdout).toContain('10.77.0.2');
  await endPair(pair);
});

test('the program sees nothing of a peer that follows late', async () => {
  const { hostA, hostC } = lab;
  const pair = await startProbes({ from: hostA, to: hostC, wrapped: true });
  await moveWithout(hostC, pair.server.id, 4901, () => setTimeout(STANDSTILL_MS));
  await rounds(pair);
  for (const end of [pair.server, pair.client])
    expect([...(await end.report()).keys()].filter((what) => what !== OLD_EDGE)).toEqual([]);
  await Promise.all([pair.server.quit(), pair.client.quit()]);
});

test('a program that does not stand still for a late peer runs on, and is asked again', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startPair({ from: hostA, to: hostC });
  const { id } = pair.server;
  let release: () => Promise<void> = () => Promise.resolve();
  const moved = moveWithout(hostC, id, 4902, async () => {
    await untilListed(hostB, id, 'arriving');
    const arrived = cgroupsOf(id).find((cgroup) => cgroup.includes('-'))!;
    ({ release } = await startUnfreezable(hostB, arrived));
  });
  const log = hostB.start(['tail', '-n', '+1', '-F', `/run/migrun/log/${id}.log`]);
  await log.stdout.match(/not released yet/);
  expect(await hostB.list()).toMatchObject([{ id, state: 'arriving' }]);
  await release();
  await moved;
  await expectCounting(pair);
  await log.kill('SIGTERM');
  await endPair(pair);
});
