/** Peers whose hosts have no CPU to spare just when a program arrives. */
import { setTimeout } from 'node:timers/promises';
import { endPair, expectCounting, PORT, startPair } from './support/counting.js';
import { agentOf, migrateUntil } from './support/crashing.js';
import { useLab } from './support/lab.js';

/** Longer than the program waits for them, and than a message is waited for; shorter than a lease. */
const STANDSTILL_MS = 6_000;

const lab = useLab();

test('a peer whose agent gets no CPU for seconds after the commit follows when it gets some; the program does not wait for it', async () => {
  const { hostA, hostB, hostC } = lab;
  await lab.startAgents();
  const pair = await startPair({ from: hostA, to: hostC });
  const { id } = pair.server;
  const agent = agentOf(hostC);
  const { command, release } = await migrateUntil('before-commit', { id, from: hostA, to: hostB, anchor: hostA.start(['sleep', 'infinity']), port: 4900 });
  process.kill(agent, 'SIGSTOP');
  try {
    release();
    await setTimeout(STANDSTILL_MS);
    expect(await hostB.list()).toMatchObject([{ id, state: 'arriving', connections: 1 }]);
    expect(await hostB.refusal(id, 'hostA')).toMatchObject({ code: 'E_BUSY' });
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await command.succeeds();
  const [, frozenMs] = /, ([\d.]+) ms from its freeze/.exec(command.stdout.all)!;
  expect(Number(frozenMs)).toBeLessThan(STANDSTILL_MS / 2);
  expect(command.stdout.all).not.toMatch(/^lost/m);
  await expectCounting(pair);
  expect((await hostC.run(['ss', '-Htn', `( dport = :${PORT} )`])).stdout).toContain('10.77.0.2');
  await endPair(pair);
});
