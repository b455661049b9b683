import { useLab } from './support/lab.js';
import { useNumbers } from './support/numbers.js';

const lab = useLab();
const start = useNumbers(lab);

test('a thread for each of 100 connections: all go on when either side moves', async () => {
  const pair = await start({ server: 'thread', connections: 100 });
  await pair.moveThereAndBack('server', lab.hostB);
  await pair.moveThereAndBack('client', lab.hostB);
  await pair.end();
});

test('two threads share each socket, on both sides: one sends while the other receives, and another waits in accept()', async () => {
  const pair = await start({ server: 'thread', connections: 5, both: true });
  await pair.move('server', lab.hostB);
  await pair.takesAnotherClient();
  await pair.move('server', lab.hostA);
  await pair.moveThereAndBack('client', lab.hostB);
  await pair.end();
});

test.each([
  ['client', 'server'],
  ['server', 'client'],
] as const)('the threads of a %s that is not wrapped stand still for their sockets when the %s moves', async (plain, moving) => {
  const pair = await start({ server: 'thread', connections: 5, both: true, plain });
  await pair.move(moving, lab.hostB);
  await pair.end();
});
