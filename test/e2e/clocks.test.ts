/** Hosts have been up for different times. A moved program's clocks go on from where they were: CRIU makes it a time namespace. */
import { untilGone } from '../support/e2e/counting.js';
import type { Host } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';

const lab = useLab();

/** A host whose clocks are ahead, or behind, by so much. */
async function startAgent(host: Host, seconds: number): Promise<void> {
  await host.startAgent({}, ['unshare', '--time', '--monotonic', String(seconds), '--boottime', String(seconds)]);
}

test('no clock of a program jumps, and no wait ends early or late, between hosts that were booted at other times', async () => {
  const { hostA, hostB, hostC } = lab;
  await Promise.all([hostA.startAgent(), startAgent(hostB, 1_000_000), startAgent(hostC, -10)]);
  const { id, console } = await hostA.startWrapped(['clocks']);
  await console.stdout.more(4);
  for (const [from, to] of [[hostA, hostB], [hostB, hostC], [hostC, hostA]] as const) {
    await from.migrate(id, to);
    await console.stdout.more(4);
  }
  console.stdin.end();
  await console.succeeds();
  expect(console.stdout.lines.filter((line) => !/^round \d+$/.test(line))).toEqual([]);
  await untilGone(id);
});
