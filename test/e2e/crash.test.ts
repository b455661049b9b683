/** Whoever dies, and whenever: one copy of the program runs, and its count goes on (docs/crashes.md). */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Pair, PORT, startPlainPair, untilGone } from '../support/e2e/counting.js';
import { agentOf, copiesOf, type HeldMigration, type HoldPoint, killAll, migrateUntil, runDirOf, supervisorOf,
  untilListed, untilOneRuns } from '../support/e2e/crashing.js';
import { FAULTY_CRIU, stopInDump } from '../support/e2e/faulty-criu.js';
import { onChange } from '../support/e2e/files.js';
import type { Host } from '../support/e2e/host.js';
import { cgroupsOf, useLab } from '../support/e2e/lab.js';
import { SocketBox } from '../support/e2e/socket-box.js';
import type { Started } from '../support/e2e/started.js';

const lab = useLab();
let hostA: Host;
let hostB: Host;
let hostC: Host;
/** A process on each host, through which its files can be seen. */
let anchors: Map<Host, Started>;
let pair: Pair;
let nextPort = 4900;

beforeAll(async () => {
  ({ hostA, hostB, hostC } = lab);
  anchors = new Map([hostA, hostB, hostC].map((host) => [host, host.start(['sleep', 'infinity'])]));
  await lab.startAgents();
});

beforeEach(async () => {
  pair = await startPlainPair({ from: hostA, to: hostC, env: FAULTY_CRIU });
});

afterEach(async () => {
  await pair.client.kill('SIGTERM');
  await pair.server.console.ended;
  await untilGone(pair.server.id);
});

const HALF_CLOSED_PORT = 4885;
const LOCAL_PORT = 4886;
/** This server says something, shuts its side down, and prints each piece that it receives. */
const HALF_CLOSED = `
  const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
    socket.end('no more');
    socket.on('data', () => console.log('told'));
    socket.on('end', () => process.exit());
  });
  server.listen(${HALF_CLOSED_PORT}, '0.0.0.0', () => console.log('listening'));`;
/** This client prints "end" when the other side was shut down, and goes on talking. */
const TALKING = `
  const socket = require('node:net').connect({ host: 'hostA', port: ${HALF_CLOSED_PORT}, allowHalfOpen: true });
  socket.on('data', () => undefined);
  socket.on('end', () => console.log('end'));
  setInterval(() => socket.write('x'), 20);`;

async function socketsOf(host: Host, port: number): Promise<string> {
  return (await host.run(['ss', '-Htn', `( sport = :${port} or dport = :${port} )`])).stdout;
}

/** Gives no names where the folder never was. */
function filesOf(host: Host, folder: string): string[] {
  const path = join(runDirOf(anchors.get(host)!), folder);
  return existsSync(path) ? readdirSync(path) : [];
}

const hold = (point: HoldPoint, id = pair.server.id): Promise<HeldMigration> =>
  migrateUntil(point, { id, from: hostA, to: hostB, anchor: anchors.get(hostA)!, port: nextPort++ });

/** The client prints a number only where it is the next one. */
async function expectOneOn(host: Host, other: Host): Promise<void> {
  const { id } = pair.server;
  await untilOneRuns(id);
  await pair.client.stdout.more(100);
  await untilListed(host, id);
  expect(await other.list()).toEqual([]);
  expect(copiesOf(id)).toEqual({ running: 1, frozen: 0 });
  await onChange(
    join(runDirOf(anchors.get(other)!), 'programs'),
    'its records to go',
    () => filesOf(other, 'programs').length === 0,
  );
  expect(filesOf(host, 'programs').sort()).toEqual([`${id}.json`, `${id}.sock`]);
  for (const each of [host, other]) {
    expect(filesOf(each, 'migrations').filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(filesOf(each, 'journal').filter((name) => name.endsWith('.asking'))).toEqual([]);
  }
}

describe('the supervisor of a running program', () => {
  test('dies: it has a successor, and the program moves as ever', async () => {
    killAll(supervisorOf(hostA, pair.server.id));
    await expectOneOn(hostA, hostB);
    await hostA.migrate(pair.server.id, hostB);
    await expectOneOn(hostB, hostA);
  });

  test('dies, and so does its successor', async () => {
    for (let deaths = 0; deaths < 2; deaths++) {
      killAll(supervisorOf(hostA, pair.server.id));
      await onChange(
        join(runDirOf(anchors.get(hostA)!), 'programs'),
        'a successor',
        () => /adopt/.test(hostA.processes().map(({ command }) => command).join('\n')),
      );
      await untilListed(hostA, pair.server.id);
    }
    await expectOneOn(hostA, hostB);
  });

  test('dies where the program has arrived: its console goes on', async () => {
    await hostA.migrate(pair.server.id, hostB);
    killAll(supervisorOf(hostB, pair.server.id));
    await pair.server.console.stdout.more(100);
    const numbers = pair.server.console.stdout.lines.map(Number);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    await expectOneOn(hostB, hostA);
  });

  test('dies, and the program too, while no agent runs: the next agent clears up', async () => {
    const { id } = pair.server;
    killAll(agentOf(hostA), supervisorOf(hostA, id));
    const [cgroup] = cgroupsOf(id) as [string];
    killAll(Number(readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n')[0]));
    expect(cgroupsOf(id)).toEqual([cgroup]);
    await hostA.startAgent();
    await untilGone(id);
    await onChange(
      join(runDirOf(anchors.get(hostA)!), 'programs'),
      'its record to go',
      () => !filesOf(hostA, 'programs').includes(`${id}.json`),
    );
    expect(await hostA.list()).toEqual([]);
  });
});

describe('the agent of a peer', () => {
  test('dies while it rebinds a connection of a wrapped program, which is frozen then: its supervisor thaws it', async () => {
    const ticker = await hostC.startWrapped(['ticker', '100']);
    await ticker.console.stdout.more(1);
    const [cgroup] = cgroupsOf(ticker.id) as [string];
    writeFileSync(join(cgroup, 'cgroup.freeze'), '1');
    killAll(agentOf(hostC));
    await ticker.console.stdout.more(100);
    await hostC.startAgent();
    await ticker.console.kill('SIGTERM');
    await untilGone(ticker.id);
  });
});

describe('the agent of a running program', () => {
  test('dies: the next one knows the program', async () => {
    killAll(agentOf(hostA));
    await hostA.startAgent();
    await expectOneOn(hostA, hostB);
  });

  test('dies together with the supervisor: the next agent starts a successor', async () => {
    killAll(agentOf(hostA), supervisorOf(hostA, pair.server.id));
    await pair.client.stdout.more(100);
    await hostA.startAgent();
    await expectOneOn(hostA, hostB);
  });
});

describe("the source's supervisor dies", () => {
  test('while CRIU is at work in the program', async () => {
    const dump = stopInDump(hostA);
    const command = hostA.start(['migrun', 'migrate', pair.server.id, '--to', 'hostB']);
    await dump.reached;
    const [cgroup] = cgroupsOf(pair.server.id) as [string];
    expect(isTraced(cgroup)).toBe(true);
    killAll(supervisorOf(hostA, pair.server.id));
    expect((await command.ended).status).toBe(1);
    await dump.go();
    await expectOneOn(hostA, hostB);
  });

  test('before the transfer: it never left', async () => {
    const { command } = await hold('before-transfer');
    killAll(supervisorOf(hostA, pair.server.id));
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostA, hostB);
  });

  test('having asked for a commit that never arrives: it never left', async () => {
    const { command, cut } = await hold('before-commit');
    expect(copiesOf(pair.server.id)).toEqual({ running: 0, frozen: 2 });
    killAll(supervisorOf(hostA, pair.server.id));
    cut();
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostA, hostB);
  });

  test('having asked for a commit whose answer never arrives: it moved', async () => {
    const { command, cut } = await hold('before-answer');
    killAll(supervisorOf(hostA, pair.server.id));
    cut();
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostB, hostA);
  });
});

describe('the line between the hosts breaks', () => {
  test('before the commit arrives: it never left', async () => {
    const { command, cut } = await hold('before-commit');
    cut();
    expect((await command.ended).status).toBe(1);
    expect(command.stderr.all).toContain('E_TARGET_LOST');
    await expectOneOn(hostA, hostB);
  });

  test('before the answer to the commit arrives: it moved', async () => {
    const { command, cut } = await hold('before-answer');
    cut();
    expect((await command.ended).status).toBe(0);
    await expectOneOn(hostB, hostA);
  });
});

describe("the target's supervisor dies", () => {
  test('with a complete program that is not committed: it never left', async () => {
    const { command, release } = await hold('before-commit');
    killAll(supervisorOf(hostB, pair.server.id));
    release();
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostA, hostB);
  });

  test('after the commit, before the peers were told: it moved', async () => {
    const { release } = await hold('before-commit');
    const peer = agentOf(hostC);
    const supervisor = supervisorOf(hostB, pair.server.id);
    process.kill(peer, 'SIGSTOP');
    release();
    await untilCommitted();
    killAll(supervisor);
    process.kill(peer, 'SIGCONT');
    await expectOneOn(hostB, hostA);
  });

  test('after the commit, having shut down its side before: so it has again', async () => {
    const server = await hostA.startWrapped([process.execPath, '-e', HALF_CLOSED]);
    await server.console.stdout.match(/^listening$/);
    const client = hostC.start([process.execPath, '-e', TALKING]);
    await client.stdout.match(/^end$/);
    const { release } = await hold('before-commit', server.id);
    const peer = agentOf(hostC);
    process.kill(peer, 'SIGSTOP');
    release();
    await untilCommitted();
    killAll(supervisorOf(hostB, server.id));
    process.kill(peer, 'SIGCONT');
    await untilListed(hostB, server.id);
    await server.console.stdout.more(20);
    expect(await socketsOf(hostB, HALF_CLOSED_PORT)).toMatch(/^FIN-WAIT-2 /);
    expect(await socketsOf(hostC, HALF_CLOSED_PORT)).toMatch(/^CLOSE-WAIT /);
    await client.kill('SIGTERM');
    await untilGone(server.id);
  });

  test('after the commit, with connections that were within the host: they go on', async () => {
    const box = await SocketBox.wrapped(hostA);
    const neighbour = SocketBox.plain(hostA);
    const all = async (who: SocketBox, ...commands: string[]): Promise<void> => {
      for (const command of commands) expect(await who.run(command)).toMatch(/^ok/);
    };
    await all(
      box,
      'socket 0 4',
      `bind 0 127.0.0.1 ${LOCAL_PORT}`,
      'listen 0 5',
      'socket 1 4',
      `connect 1 127.0.0.1 ${LOCAL_PORT}`,
      'accept 2 0',
      'send 1 5000',
      'shut 1 w',
    );
    await all(neighbour, 'socket 3 4', `connect 3 127.0.0.1 ${LOCAL_PORT}`, 'send 3 5000', 'shut 3 w');
    await all(box, 'accept 3 0');
    const { release } = await hold('before-commit', box.id);
    const peer = agentOf(hostA);
    process.kill(peer, 'SIGSTOP');
    release();
    await untilCommitted();
    killAll(supervisorOf(hostB, box.id!));
    process.kill(peer, 'SIGCONT');
    await untilListed(hostB, box.id!);
    await all(box, 'end 2', 'send 2 3000', 'recv 1 3000', 'end 3', 'send 3 3000');
    await all(neighbour, 'recv 3 3000');
    box.started.stdin.end();
    await neighbour.end();
    await untilGone(box.id!);
  });

  const decided = new Set<string>();
  beforeEach(() => {
    for (const name of filesOf(hostB, 'journal')) decided.add(name);
  });

  function untilCommitted(): Promise<void> {
    const isNew = (name: string): boolean => name.endsWith('.outcome') && !decided.has(name);
    return onChange(
      join(runDirOf(anchors.get(hostB)!), 'journal'),
      'the commit',
      () => filesOf(hostB, 'journal').some(isNew),
    );
  }
});

describe('an agent dies in a migration', () => {
  test("the source's: it moves", async () => {
    const { command, release } = await hold('before-commit');
    killAll(agentOf(hostA));
    release();
    expect((await command.ended).status).toBe(0);
    await hostA.startAgent();
    await expectOneOn(hostB, hostA);
  });

  test("the target's before the commit: it never left", async () => {
    const { command, release } = await hold('before-commit');
    killAll(agentOf(hostB));
    release();
    await hostB.startAgent();
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostA, hostB);
  });

  test("the target's before the answer to the commit: it moved", async () => {
    const { command, cut } = await hold('before-answer');
    killAll(agentOf(hostB));
    cut();
    await hostB.startAgent();
    expect((await command.ended).status).toBe(0);
    await expectOneOn(hostB, hostA);
  });

  test("the peer's, and it is undone: the peer's lease ends, and the connection goes on", async () => {
    const { command, cut } = await hold('before-commit');
    killAll(agentOf(hostC));
    cut();
    expect((await command.ended).status).toBe(1);
    await expectOneOn(hostA, hostB);
    await hostC.startAgent();
  });

  test("the peer's, and it is committed: the move says which connection is lost, and both ends see it", async () => {
    const { command, release } = await hold('before-commit');
    killAll(agentOf(hostC));
    release();
    expect((await command.ended).status).toBe(0);
    expect(command.stdout.all).toMatch(
      new RegExp(`^lost: 10\\.77\\.0\\.1:${PORT} - 10\\.77\\.0\\.3:\\d+: .*no-agent`, 'm'),
    );
    expect((await pair.client.ended).status).toBe(1);
    expect((await pair.server.console.ended).status).toBe(1);
    await hostC.startAgent();
  });
});

function isTraced(cgroup: string): boolean {
  const pids = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  return pids.some((pid) => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
}
