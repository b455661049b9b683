import { untilGone } from '../support/e2e/counting.js';
import type { Host } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import { readRecords, useFolder } from '../support/e2e/records.js';

const lab = useLab();
const folder = useFolder();

beforeAll(() => lab.startAgents());

test('two threads write on to two files, and pass each other descriptors, when they move', async () => {
  const { id, console } = await lab.hostA.startWrapped(['thread', folder]);
  const hosts: Host[] = [lab.hostA, lab.hostB, lab.hostA];
  await console.stdout.more(5);
  for (const [index, to] of hosts.slice(1).entries()) {
    await hosts[index]!.migrate(id, to);
    await console.stdout.more(5);
  }
  console.child.kill('SIGUSR1');
  await console.succeeds();

  const [, count] = /^both end after (\d+)$/.exec(console.stdout.last)!;
  const [first, second] = [readRecords(folder, 'first'), readRecords(folder, 'second')];
  expect(first).toEqual(second);
  expect(first.count).toBe(Number(count));
  const threads = first.writers.map((writer) => writer.split(' '));
  expect(threads).toHaveLength(2);
  expect(threads[0]![1]).toBe(threads[1]![1]);
  await untilGone(id);
});
