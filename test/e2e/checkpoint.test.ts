/** A program becomes a file, and goes on from it, with its connections. */
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, truncateSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endPair, expectCounting, type Pair, startPair, startPlainPair, untilGone } from '../support/e2e/counting.js';
import { agentOf, copiesOf, untilListed } from '../support/e2e/crashing.js';
import { type Host, type Refusal, refusalOf } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import { SocketBox } from '../support/e2e/socket-box.js';
import type { Started } from '../support/e2e/started.js';

const lab = useLab();
/** The status with which the console of a program ends that became a file. */
const STOPPED = { status: 75, signal: null };
const SOME = 100;
/** The time limit of a test of a dozen commands, on a host with no CPU to spare. */
const MANY_COMMANDS_MS = 400_000;

let folder: string;
let hostA: Host;
let hostB: Host;
let hostC: Host;
let agents: Map<Host, Started>;

beforeAll(async () => {
  ({ hostA, hostB, hostC } = lab);
  agents = new Map();
  for (const host of [hostA, hostB, hostC]) agents.set(host, await host.startAgent());
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-checkpoint-'));
});

afterEach(async () => {
  rmSync(folder, { recursive: true });
  await lab.endPrograms();
});

interface Report {
  readonly file: string;
  readonly connections: number;
  readonly heldUntil: string | null;
}

async function checkpoint(host: Host, id: string, ...options: string[]): Promise<Report> {
  const { status, stdout, stderr } = await host.run(['migrun', 'checkpoint', id, '--out', folder, '--json',
    ...options]);
  if (status !== 0) throw new Error(`no checkpoint: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

/** Numbers come in order at both ends, over both lives of the server, and none is missing. */
async function expectCounted({ server, client, clientId }: Pair, restored: Started): Promise<void> {
  await Promise.all([restored, client].map(({ stdout }) => stdout.more(SOME)));
  await client.kill('SIGTERM');
  await restored.ended;
  const printed = `${server.console.stdout.raw}${restored.stdout.raw}`.trim().split('\n');
  for (const numbers of [printed.map(Number), client.stdout.lines.map(Number)]) {
    expect(numbers).toEqual(numbers.map((_, index) => index));
  }
  for (const id of [server.id, ...(clientId === undefined ? [] : [clientId])]) await untilGone(id);
}

/** The host neither hears nor says anything, as if it had been turned off. */
async function silence(host: Host): Promise<void> {
  const hooks = ['input', 'output'].map((hook) =>
    `add chain inet silence ${hook} { type filter hook ${hook} priority 0; policy drop; }`
  );
  await host.run(['nft', ['add table inet silence', ...hooks].join('; ')]);
}

describe('a checkpoint', () => {
  test.each(['wrapped', 'plain'])(
    'is restored on another host when nothing of the first one is left, and a %s peer goes on',
    async (kind) => {
      const pair = await (kind === 'wrapped' ? startPair : startPlainPair)({ from: hostA, to: hostC });
      const { id, console } = pair.server;
      const { file, connections } = await checkpoint(hostA, id, '--hold', '2h');
      expect(connections).toBe(1);
      expect(readdirSync(folder)).toEqual([file.slice(folder.length + 1)]);
      expect(await console.ended).toEqual(STOPPED);
      await untilGone(id);
      await agents.get(hostA)!.kill('SIGKILL');
      await silence(hostA);
      try {
        await expectCounted(pair, hostB.start(['migrun', 'restore', file]));
      } finally {
        await hostA.run(['nft', 'delete', 'table', 'inet', 'silence']);
        agents.set(hostA, await hostA.startAgent());
      }
    },
    MANY_COMMANDS_MS,
  );
});

test(
  'connections within the program are in the file, and one with a neighbour at loopback keeps it from becoming one',
  async () => {
    const box = await SocketBox.wrapped(hostA);
    const neighbour = SocketBox.plain(hostA);
    for (
      const command of ['socket 0 4', 'bind 0 127.0.0.1 5300', 'listen 0 5', 'socket 1 4', 'connect 1 127.0.0.1 5300',
        'accept 2 0', 'send 1 5000']
    ) {
      expect(await box.run(command)).toMatch(/^ok/);
    }
    for (const command of ['socket 1 4', 'connect 1 127.0.0.1 5300'])
      expect(await neighbour.run(command)).toMatch(/^ok/);
    await box.run('accept 3 0');
    expect(await refusedCheckpoint(hostA, box.id!, folder)).toMatchObject({
      code: 'E_LOCAL_CONNECTION',
      undone: ['preflight'],
    });
    await box.run('close 3');
    expect(await neighbour.run('end 1')).toBe('ok 0');
    await neighbour.end();

    const { file } = await checkpoint(hostA, box.id!);
    const restored = hostB.start(['migrun', 'restore', file]);
    for (const [index, command] of ['recv 2 5000', 'send 2 3000', 'recv 1 3000'].entries()) {
      restored.stdin.write(`${100 + index} ${command}\n`);
      await restored.stdout.match(new RegExp(`^${100 + index} ok`));
    }
    restored.stdin.end();
    await restored.ended;
    await untilGone(box.id!);
  },
  MANY_COMMANDS_MS,
);

async function refusedCheckpoint(host: Host, id: string, out: string, ...options: string[]): Promise<Refusal> {
  return refusalOf(await host.run(['migrun', 'checkpoint', id, '--out', out, ...options]));
}

async function refusedRestore(host: Host, file: string, ...options: string[]): Promise<string> {
  return refusalOf(await host.run(['migrun', 'restore', file, '--detach', ...options])).code;
}

test('a copy is written while the program goes on with its connections, and is not restored', async () => {
  const pair = await startPair({ from: hostA, to: hostC });
  const { file, heldUntil } = await checkpoint(hostA, pair.server.id, '--leave-running');
  expect(heldUntil).toBeNull();
  await expectCounting(pair);
  expect(readdirSync(folder)).toEqual([file.slice(folder.length + 1)]);
  expect(await refusedRestore(hostB, file)).toBe('E_CHECKPOINT_COPY');
  await endPair(pair);
}, MANY_COMMANDS_MS);

describe('a checkpoint that cannot be written', () => {
  let pair: Pair;

  beforeEach(async () => {
    pair = await startPair({ from: hostA, to: hostC });
  });

  afterEach(() => endPair(pair));

  test('to where a file is, or no folder: the program goes on', async () => {
    const there = join(folder, 'there');
    writeFileSync(there, 'precious');
    expect((await refusedCheckpoint(hostA, pair.server.id, there)).code).toBe('E_CHECKPOINT_FILE');
    expect((await refusedCheckpoint(hostA, pair.server.id, join(folder, 'no', 'folder'))).code).toBe(
      'E_CHECKPOINT_FILE',
    );
    expect(readdirSync(folder)).toEqual(['there']);
    await expectCounting(pair);
  });

  test('to a disk that is full: it is undone, and the program goes on with its connections', async () => {
    const supervisor = hostA.processes().find(({ command }) => command.includes('-- count_server'))!.pid;
    await hostA.run(['nsenter', '-t', String(supervisor), '-m', 'sh', '-c',
      'mkdir /run/small && mount -t tmpfs -o size=64k none /run/small']);
    const { code, undone } = await refusedCheckpoint(hostA, pair.server.id, '/run/small/image');
    expect(code).toBe('E_CHECKPOINT_FILE');
    expect(undone).toEqual(['save', 'lock', 'freeze', 'lock-peers', 'preflight']);
    expect((await hostA.run(['ls', '-A', '/run/small'])).stdout).toBe('');
    await expectCounting(pair);
    await hostA.run(['umount', '/run/small']);
  });
});

describe('a checkpoint that cannot be restored', () => {
  let pair: Pair;
  let file: string;

  test('starts nothing, and then can be', async () => {
    pair = await startPair({ from: hostA, to: hostC });
    ({ file } = await checkpoint(hostA, pair.server.id));
    const changed = (change: (path: string) => void): string => {
      const path = join(folder, 'changed');
      copyFileSync(file, path);
      change(path);
      return path;
    };
    expect(await refusedRestore(hostB, join(folder, 'none'))).toBe('E_CHECKPOINT_FILE');
    expect(await refusedRestore(hostB, changed((path) => truncateSync(path, 100_000)))).toBe('E_CHECKPOINT_TRUNCATED');
    expect(await refusedRestore(hostB, changed((path) => appendFileSync(path, 'more')))).toBe('E_CHECKPOINT_ALTERED');
    const { key } = hostB;
    hostB.key = 'ab'.repeat(32);
    expect(await refusedRestore(hostB, file)).toBe('E_CHECKPOINT_KEY');
    hostB.key = key;
    const blocker = hostB.start(['count_server', '-a', '0.0.0.0', '4884', '500']);
    await blocker.stderr.match(/^listening/);
    expect(await refusedRestore(hostC, file, '--to', 'hostB')).toBe('E_PORT');
    await blocker.kill('SIGKILL');
    expect(await hostB.list()).toEqual([]);
    const { stdout } = await hostB.run(['migrun', 'show', file]);
    expect(stdout).toMatch(/count_server -a 0\.0\.0\.0 4884/);
    expect(stdout).toMatch(/LISTEN +0\.0\.0\.0:4884/);
    expect(stdout).toMatch(/ESTABLISHED +10\.77\.0\.1:4884 +10\.77\.0\.3:\d+/);
    await expectCounted(pair, hostC.start(['migrun', 'restore', file, '--to', 'hostB']));
    expect(existsSync(file)).toBe(true);
  }, MANY_COMMANDS_MS);
});

describe('a checkpoint that was restored, or is over', () => {
  test('is not restored again while its connections live elsewhere', async () => {
    const pair = await startPair({ from: hostA, to: hostC });
    const { file } = await checkpoint(hostA, pair.server.id);
    const restored = hostB.start(['migrun', 'restore', file]);
    await restored.stdout.more(1);
    for (const options of [[], ['--again']])
      expect(await refusedRestore(hostA, file, ...options)).toBe('E_CHECKPOINT_USED');
    expect(await hostA.list()).toEqual([]);
    await expectCounted(pair, restored);
  }, MANY_COMMANDS_MS);

  test('on two hosts at the same moment is restored on one of them', async () => {
    const pair = await startPair({ from: hostA, to: hostC });
    const { file } = await checkpoint(hostA, pair.server.id);
    await untilGone(pair.server.id);
    // Both restores ask a peer that says nothing yet.
    const peer = agentOf(hostC);
    process.kill(peer, 'SIGSTOP');
    const restores = [hostA, hostB].map((host) => host.start(['migrun', 'restore', file]));
    await Promise.all([hostA, hostB].map((host) => untilListed(host, pair.server.id, 'arriving')));
    process.kill(peer, 'SIGCONT');
    const first = await Promise.race(restores.map(async (restore) => ({ restore, ...(await restore.ended) })));
    expect(refusalOf({ ...first, stdout: '', stderr: first.restore.stderr.all }).code).toBe('E_CHECKPOINT_USED');
    expect(first.restore.stdout.all).toBe('');
    const [winner] = restores.filter((restore) => restore !== first.restore);
    await winner!.stdout.more(1);
    expect(copiesOf(pair.server.id)).toEqual({ running: 1, frozen: 0 });
    await expectCounted(pair, winner!);
  }, MANY_COMMANDS_MS);

  test('after its hold is restored with what has not failed meanwhile', async () => {
    const pair = await startPlainPair({ from: hostA, to: hostC });
    const { file, heldUntil } = await checkpoint(hostA, pair.server.id, '--hold', '2s');
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(heldUntil!) + 1_000 - Date.now())));
    await expectCounted(pair, hostB.start(['migrun', 'restore', file]));
  });

  test('whose peer has gone is refused, and restored without it where that is said', async () => {
    const pair = await startPlainPair({ from: hostA, to: hostC });
    const { file } = await checkpoint(hostA, pair.server.id, '--hold', '2s');
    await pair.client.kill('SIGKILL');
    while ((await hostC.run(['ss', '-Htn', 'dport = :4884'])).stdout.includes('ESTAB'));
    expect(await refusedRestore(hostB, file)).toBe('E_CHECKPOINT_OVER');
    const restored = hostB.start(['migrun', 'restore', '--again', file]);
    expect((await restored.ended).status).toBe(1); // the server saw a reset
    expect(restored.stderr.all).toMatch(/^lost: 10\.77\.0\.1:4884 - 10\.77\.0\.3:\d+: /m);
  }, MANY_COMMANDS_MS);
});
