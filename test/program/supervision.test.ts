import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Supervision, supervisionEnded } from '../../src/program/supervision';
import { Target } from '../support/native/target';

const SUPERVISE = `
  const [supervision, id] = process.argv.slice(1);
  require(supervision).Supervision.take(id).then(() => console.log('taken'));`;

const supervisor = (id: string): Target =>
  new Target(process.execPath, ['-e', SUPERVISE, join(__dirname, '..', '..', 'dist', 'program', 'supervision.js'), id]);
const freshId = (): string => randomBytes(4).toString('hex');

test('one process supervises a program; another one is refused', async () => {
  const id = freshId();
  const supervision = await Supervision.take(id);
  await expect(Supervision.take(id, 20)).rejects.toMatchObject({ code: 'E_SUPERVISED' });
  supervision.release();
  (await Supervision.take(id, 0)).release();
});

test('who waits gets it as soon as it is released', async () => {
  const id = freshId();
  const first = await Supervision.take(id);
  const second = Supervision.take(id);
  first.release();
  (await second).release();
});

test('the end of its process ends a supervision, and whoever looks on sees it', async () => {
  const id = freshId();
  const process = supervisor(id);
  expect(await process.line()).toBe('taken');
  expect(await supervisionEnded(id, 20)).toBe(false);
  const ended = supervisionEnded(id);
  await process.end();
  expect(await ended).toBe(true);
});

test('nobody supervises what nobody took', async () => {
  expect(await supervisionEnded(freshId())).toBe(true);
});

test('looking on can be called off', async () => {
  const id = freshId();
  const supervision = await Supervision.take(id);
  const controller = new AbortController();
  const looking = supervisionEnded(id, undefined, controller.signal);
  controller.abort();
  expect(await looking).toBe(false);
  supervision.release();
});
