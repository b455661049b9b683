import { useLab } from '../support/e2e/lab.js';
import { useNumbers } from '../support/e2e/numbers.js';

const lab = useLab();
const start = useNumbers(lab);

test('one process with two connections at full speed: both go on when either side moves, and so does the listening socket', async () => {
  const pair = await start({ server: 'sockets', connections: 2 });
  await pair.move('server', lab.hostB);
  await pair.takesAnotherClient();
  await pair.move('server', lab.hostA);
  await pair.takesAnotherClient();
  await pair.moveThereAndBack('client', lab.hostB);
  await pair.end();
});

test('five connections that both sides write to at the moment of the move', async () => {
  const pair = await start({ server: 'sockets', connections: 5, both: true });
  await pair.moveThereAndBack('server', lab.hostB);
  await pair.moveThereAndBack('client', lab.hostB);
  await pair.end();
});

test('100 connections of one process', async () => {
  const pair = await start({ server: 'sockets', connections: 100 });
  await pair.moveThereAndBack('server', lab.hostB);
  await pair.moveThereAndBack('client', lab.hostB);
  await pair.end();
});

test('1,000 connections of one process', async () => {
  const pair = await start({ server: 'sockets', connections: 1000 });
  await pair.move('server', lab.hostB);
  await pair.move('client', lab.hostA);
  await pair.end();
});

test('a peer that is not wrapped follows with all of its connections', async () => {
  const pair = await start({ server: 'sockets', connections: 100, plain: 'client' });
  await pair.move('server', lab.hostB);
  await pair.end();
});
