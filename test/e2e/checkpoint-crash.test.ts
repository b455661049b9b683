/** Whoever dies while a program becomes a file, or comes back from one: there is one running program, or one whole file. */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readImage } from '../../src/checkpoint/read-image.js';
import { type Pair, startPlainPair, untilGone } from '../support/e2e/counting.js';
import { agentOf, killAll, supervisorOf, untilListed, untilOneRuns } from '../support/e2e/crashing.js';
import { FAULTY_CRIU, stopInDump } from '../support/e2e/faulty-criu.js';
import type { Host } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';

const lab = useLab();
const MANY_COMMANDS_MS = 180_000;

let hostA: Host;
let hostB: Host;
let hostC: Host;
let folder: string;
let file: string;
let pair: Pair;

beforeAll(async () => {
  ({ hostA, hostB, hostC } = lab);
  await lab.startAgents();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-checkpoint-'));
  file = join(folder, 'image');
  pair = await startPlainPair({ from: hostA, to: hostC, env: FAULTY_CRIU });
});

afterEach(async () => {
  await pair.client.kill('SIGTERM');
  await untilGone(pair.server.id);
  rmSync(folder, { recursive: true });
});

/** Starts a checkpoint whose supervisor is stopped when CRIU has dumped all. */
async function dumped(): Promise<{ command: Started; go(): Promise<void> }> {
  const dump = stopInDump(hostA);
  const command = hostA.start(['migrun', 'checkpoint', pair.server.id, '--out', file, '--hold', '2h']);
  await dump.reached;
  return { command, go: () => dump.go() };
}

/**
 * Starts a checkpoint that waits when the whole image is written and the peer is asked to hold: the peer cannot answer
 * before `answer`.
 */
async function written(): Promise<{ command: Started; answer(): void }> {
  const { command, go } = await dumped();
  const peer = agentOf(hostC);
  process.kill(peer, 'SIGSTOP');
  await go();
  const draft = join(folder, readdirSync(folder)[0]!);
  const isWhole = (): Promise<boolean> =>
    readImage(draft, Buffer.from(hostA.key.trim(), 'hex')).then(() => true, () => false);
  while (!(await isWhole()));
  return { command, answer: () => void process.kill(peer, 'SIGCONT') };
}

async function expectRunsOn(): Promise<void> {
  await untilOneRuns(pair.server.id);
  await pair.client.stdout.more(100);
  await untilListed(hostA, pair.server.id);
  expect(readdirSync(folder)).toEqual([]);
}

async function expectRestores(): Promise<void> {
  const restored = hostB.start(['migrun', 'restore', file]);
  await pair.client.stdout.more(100);
  await untilListed(hostB, pair.server.id);
  await pair.client.kill('SIGTERM');
  await restored.ended;
}

describe('the supervisor dies in a checkpoint', () => {
  test('while CRIU is at work: the program runs on, and nothing of a file is left', async () => {
    const { command, go } = await dumped();
    killAll(supervisorOf(hostA, pair.server.id));
    expect((await command.ended).status).toBe(1);
    await go();
    await expectRunsOn();
  }, MANY_COMMANDS_MS);

  test('when the file is written and has no name: the program runs on', async () => {
    const { command, answer } = await written();
    killAll(supervisorOf(hostA, pair.server.id));
    answer();
    expect((await command.ended).status).toBe(1);
    await expectRunsOn();
  }, MANY_COMMANDS_MS);

  test('when the file has its name: the program is in it, and nowhere else', async () => {
    const { command, answer } = await written();
    killAll(agentOf(hostA), supervisorOf(hostA, pair.server.id));
    expect((await command.ended).status).toBe(1);
    answer();
    // This is what the killed supervisor would have done next.
    renameSync(join(folder, readdirSync(folder)[0]!), file);
    await hostA.startAgent();
    await untilGone(pair.server.id);
    await expectRestores();
  }, MANY_COMMANDS_MS);
});

describe('a restore', () => {
  test('whose command dies while the peers are asked leaves nothing, and the file as it was', async () => {
    await hostA.run(['migrun', 'checkpoint', pair.server.id, '--out', file, '--hold', '2h']);
    const peer = agentOf(hostC);
    process.kill(peer, 'SIGSTOP');
    const command = hostB.start(['migrun', 'restore', file]);
    await untilListed(hostB, pair.server.id, 'arriving');
    await command.kill('SIGKILL');
    process.kill(peer, 'SIGCONT');
    while ((await hostB.list()).length > 0);
    await untilGone(pair.server.id);
    await expectRestores();
  }, MANY_COMMANDS_MS);
});
