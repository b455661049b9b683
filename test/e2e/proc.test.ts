import { untilGone } from '../support/e2e/counting.js';
import type { Host, WrappedProgram } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import { readRecords, useFolder } from '../support/e2e/records.js';

const NAMES = ['parent', 'first', 'second'];

const lab = useLab();
const folder = useFolder();

beforeAll(() => lab.startAgents());

/** Resolves when each of the three has written that many more records than it had. */
async function expectWriting({ console: { stdout } }: WrappedProgram): Promise<void> {
  const before = stdout.lines.length;
  for (const name of NAMES) await stdout.match(new RegExp(`^${name} `), before);
}

test('a parent and two children, each with a file of its own, write on without a break when they move', async () => {
  const program = await lab.hostA.startWrapped(['proc', folder]);
  const hosts: Host[] = [lab.hostA, lab.hostB, lab.hostA];
  await expectWriting(program);
  for (const [index, to] of hosts.slice(1).entries()) {
    await hosts[index]!.migrate(program.id, to);
    await expectWriting(program);
  }
  program.console.child.kill('SIGUSR1');
  await program.console.succeeds();

  const said = new Map(
    program.console.stdout.lines.flatMap((line) => [...line.matchAll(/^(\w+) ends after (\d+)$/g)]).map(
      ([, name, count]) => [name, Number(count)]
    ),
  );
  const [parent, ...children] = NAMES.map((name) => {
    const { count, writers } = readRecords(folder, name);
    expect(count).toBe(said.get(name));
    expect(writers).toHaveLength(1);
    return writers[0]!.split(' ');
  });
  for (const [pid, itsParent] of children)
    expect([itsParent, pid]).toEqual([parent![0], expect.not.stringMatching(`^${parent![0]}$`)]);
  await untilGone(program.id);
});
