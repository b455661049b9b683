/** The thesis's proc_server and thread_server: what each does for many connections at once, in processes and in threads. */
import { useLab } from '../support/e2e/lab.js';
import { useNumbers } from '../support/e2e/numbers.js';

const lab = useLab();
const start = useNumbers(lab);

describe.each(
  [
    ['process', 'processes', 'proc'],
    ['thread', 'threads', 'thread'],
  ] as const,
)('a %s for each connection', (_one, many, server) => {
  test('100 of them: all go on when either side moves', async () => {
    const pair = await start({ server, connections: 100 });
    await pair.moveThereAndBack('server', lab.hostB);
    await pair.moveThereAndBack('client', lab.hostB);
    await pair.end();
  });

  test(`two ${many} share each of five sockets, on both sides: one sends while the other receives, and another waits in accept()`, async () => {
    const pair = await start({ server, connections: 5, both: true });
    await pair.move('server', lab.hostB);
    await pair.takesAnotherClient();
    await pair.move('server', lab.hostA);
    await pair.moveThereAndBack('client', lab.hostB);
    await pair.end();
  });

  test.each(
    [
      ['client', 'server'],
      ['server', 'client'],
    ] as const,
  )(
    `the ${many} of a %s that is not wrapped stand still for their sockets when the %s moves`,
    async (plain, moving) => {
      const pair = await start({ server, connections: 5, both: true, plain });
      await pair.move(moving, lab.hostB);
      await pair.end();
    },
  );
});

test('processes on one side, threads on the other', async () => {
  const pair = await start({ server: 'proc', client: 'thread', connections: 20 });
  await pair.move('server', lab.hostB);
  await pair.move('client', lab.hostA);
  await pair.end();
});
