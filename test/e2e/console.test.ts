import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { endPair, expectCounting, startPair, untilGone } from '../support/e2e/counting.js';
import { FAULTY_CRIU, linger } from '../support/e2e/faulty-criu.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';

const MEBIBYTE = 1024 * 1024;
const AT_LEAST = 20 * MEBIBYTE;
const PIECE = 64 * 1024;

const lab = useLab();

beforeAll(() => Promise.all([lab.hostA.startAgent(), lab.hostB.startAgent(FAULTY_CRIU), lab.hostC.startAgent()]));

test.each([
  ['ends with 0', 'true', 0],
  ['ends with 7', 'exit 7', 7],
  ['kills itself', 'kill -KILL $$', 128 + 9],
])("migrun's status is that of a program that %s", async (_, script, status) => {
  const { id, console } = await lab.hostA.startWrapped(['sh', '-c', script]);
  expect(await console.ended).toEqual({ status, signal: null });
  await untilGone(id);
});

test('a command that is not there is told as such', async () => {
  const { status, stderr } = await lab.hostA.run(['migrun', '--', 'no-such-command']);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/E_EXEC.*no-such-command/);
});

/** Random bytes in pieces, as fast as they are taken, until `enough`. */
async function feed({ stdin }: Started, enough: (bytes: number) => boolean): Promise<string> {
  const hash = createHash('sha256');
  for (let bytes = 0; !enough(bytes); bytes += PIECE) {
    const piece = randomBytes(PIECE);
    hash.update(piece);
    if (!stdin.write(piece)) await once(stdin, 'drain');
  }
  stdin.end();
  return hash.digest('hex');
}

test('what goes through a program comes out byte for byte while it moves three times', async () => {
  const { hostA, hostB, hostC } = lab;
  const { id, console } = await hostA.startWrapped(['cat'], {}, 'bytes');
  const out = createHash('sha256');
  console.child.stdout!.on('data', (data: Buffer) => out.update(data));

  let moves = 0;
  const fed = feed(console, (bytes) => bytes >= AT_LEAST && moves === 3);
  for (const [from, to] of [[hostA, hostB], [hostB, hostC], [hostC, hostA]] as const) {
    await from.migrate(id, to);
    moves++;
  }
  const sent = await fed;
  expect(await console.ended).toEqual({ status: 0, signal: null });
  expect(out.digest('hex')).toBe(sent);
  await untilGone(id);
});

test('the end of the input reaches a program that moved, and its status comes back', async () => {
  const { id, console } = await lab.hostA.startWrapped(['sh', '-c', 'read -r line; echo "got $line"; cat; exit 3']);
  await lab.hostA.migrate(id, lab.hostB);
  console.stdin.write('one\n');
  await console.stdout.match(/^got one$/);
  await lab.hostB.migrate(id, lab.hostC);
  console.stdin.end('two\n');
  expect(await console.ended).toEqual({ status: 3, signal: null });
  expect(console.stdout.lines).toEqual(['got one', 'two']);
  await untilGone(id);
});

test('the status comes back from a host whose CRIU is slow to end', async () => {
  const slow = linger(lab.hostB);
  const { id, console } = await lab.hostA.startWrapped(['sh', '-c', 'cat; exit 3']);
  await lab.hostA.migrate(id, lab.hostB);
  slow.mend();
  console.stdin.end();
  expect(await console.ended).toEqual({ status: 3, signal: null });
  await untilGone(id);
});

test.each([['SIGTERM', 15], ['SIGINT', 2], ['SIGUSR1', 10]] as const)(
  '%s reaches a program that moved',
  async (signal, number) => {
    const { id, console } = await lab.hostA.startWrapped(['ticker', '100']);
    await lab.hostA.migrate(id, lab.hostB);
    expect(await console.kill(signal)).toEqual({ status: 128 + number, signal: null });
    await untilGone(id);
  },
);

test('a program that moved goes on without its console', async () => {
  const { hostA, hostB, hostC } = lab;
  const pair = await startPair({ from: hostA, to: hostC });
  await hostA.migrate(pair.server.id, hostB);
  await expectCounting(pair);
  await pair.server.console.kill('SIGKILL');
  await pair.client.stdout.more(500);
  expect(await hostB.list()).toMatchObject([{ id: pair.server.id, state: 'running', connections: 1 }]);
  expect(hostA.processes().map(({ command }) => command)).toEqual([expect.stringMatching(/main\.js agent$/)]);
  await endPair(pair);
});
