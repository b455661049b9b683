import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Hold, holdEnded } from '../../src/program/hold';
import { Target } from '../support/native/target';

const HOLD = `
  const [holdModule, id] = process.argv.slice(1);
  require(holdModule).Hold.take(id).then(() => console.log('held'));`;

const holder = (id: string): Target =>
  new Target(process.execPath, ['-e', HOLD, join(__dirname, '..', '..', 'dist', 'program', 'hold.js'), id]);
const freshId = (): string => randomBytes(4).toString('hex');

test('one process holds a program; another one is refused', async () => {
  const id = freshId();
  const hold = await Hold.take(id);
  await expect(Hold.take(id, 20)).rejects.toMatchObject({ code: 'E_SUPERVISED' });
  hold.release();
  (await Hold.take(id, 0)).release();
});

test('who waits gets it as soon as it is released', async () => {
  const id = freshId();
  const first = await Hold.take(id);
  const second = Hold.take(id);
  first.release();
  (await second).release();
});

test('the end of its process ends a hold, and whoever looks on sees it', async () => {
  const id = freshId();
  const process = holder(id);
  expect(await process.line()).toBe('held');
  expect(await holdEnded(id, 20)).toBe(false);
  const ended = holdEnded(id);
  await process.end();
  expect(await ended).toBe(true);
});

test('nobody holds what nobody took', async () => {
  expect(await holdEnded(freshId())).toBe(true);
});

test('looking on can be called off', async () => {
  const id = freshId();
  const hold = await Hold.take(id);
  const controller = new AbortController();
  const looking = holdEnded(id, undefined, controller.signal);
  controller.abort();
  expect(await looking).toBe(false);
  hold.release();
});
