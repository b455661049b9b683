import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmptyMessages, unix } from '../../../src/kinds/descriptors/unix';
import { codesOf, judged } from '../../support/kinds/facts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-unix-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('names of UNIX sockets are free, or somebody has them', async () => {
  const server = createServer();
  const name = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(name, resolve));
  const none = join(folder, 'nobody');
  const reasons = await judged(unix, { bound: [name, none, join(folder, 'nowhere', 'socket')], others: [name, none] });
  expect(codesOf(reasons)).toEqual(['E_UNIX_NAME', 'E_FILE', 'E_UNIX_NAME']);
  await new Promise((resolve) => server.close(resolve));
});

test('a file of that name is no UNIX socket', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, '');
  expect(await judged(unix, { bound: [path], others: [] })).toEqual([{
    code: 'E_UNIX_NAME',
    message: `${path} is there, and is no UNIX socket`,
  }]);
});

const POLLIN = 1;
const POLLOUT = 4;
const [EMPTY, NONE] = [{ hasEmpty: true }, { hasEmpty: false }];

test('what was found once is there until its queue is empty', () => {
  const messages = new EmptyMessages();
  expect(messages.has(7, NONE, POLLIN)).toBe(false);
  expect(messages.has(7, EMPTY, POLLIN | POLLOUT)).toBe(true);
  expect(messages.has(7, NONE, POLLIN | POLLOUT)).toBe(true);
  expect(messages.has(8, NONE, POLLIN)).toBe(false);
  expect(messages.has(7, NONE, POLLOUT)).toBe(false);
  expect(messages.has(7, NONE, POLLIN)).toBe(false);
});
