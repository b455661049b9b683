/** The CPUs that each thread may use stay its own: CRIU alone gives every thread those of CRIU. */
import { untilGone } from '../support/e2e/counting.js';
import { useLab } from '../support/e2e/lab.js';

const lab = useLab();

beforeAll(() => lab.startAgents());

test('threads and processes that are pinned are so after each move, and those that are not may run anywhere', async () => {
  const { hostA, hostB } = lab;
  const { id, console } = await hostA.startWrapped(['pinned']);
  await console.stdout.more(4);
  for (const [from, to] of [[hostA, hostB], [hostB, hostA]] as const) {
    await from.migrate(id, to);
    await console.stdout.more(4);
  }
  console.stdin.end();
  await console.succeeds();
  expect(console.stdout.lines.filter((line) => !/^round \d+$/.test(line))).toEqual([]);
  await untilGone(id);
});
