import { join } from 'node:path';
import { PORT } from '../support/e2e/counting.js';
import { type Host, refusalOf, type WrappedProgram } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';

/** Nobody's address on the lab's bridge. */
const NOBODY = '10.77.0.99';
const AGENT_PORT = '4807';
const UNTOUCHED = ['preflight'];

const lab = useLab();

beforeAll(async () => {
  await lab.hostA.startAgent();
  await lab.hostB.startAgent();
});

async function expectRunning({ console }: WrappedProgram): Promise<void> {
  await console.stdout.more(3);
}

async function end({ console }: WrappedProgram): Promise<void> {
  expect(await console.kill('SIGTERM')).toEqual({ status: 128 + 15, signal: null });
}

describe('a program that goes nowhere', () => {
  let program: WrappedProgram;

  beforeAll(async () => {
    program = await lab.hostA.startWrapped(['ticker', '100']);
  });

  afterAll(() => end(program));

  afterEach(() => expectRunning(program));

  test.each(['00000000', 'no-id'])('is not found by the id %s', async (id) => {
    expect(await lab.hostA.refusal(id, 'hostB')).toMatchObject({
      code: 'E_NO_PROGRAM',
      text: expect.stringContaining(id),
      undone: [],
    });
  });

  test('stays where the target is unknown', async () => {
    expect(await lab.hostA.refusal(program.id, 'hostX')).toMatchObject({
      code: 'E_TARGET_UNKNOWN',
      text: expect.stringContaining('hostX'),
      undone: UNTOUCHED,
    });
  });

  test('stays, and says so in bounded time, where nobody has the address', async () => {
    expect(await lab.hostA.refusal(program.id, NOBODY)).toMatchObject({
      code: 'E_TARGET_UNREACHABLE',
      text: expect.stringContaining(NOBODY),
      undone: UNTOUCHED,
    });
  }, 20_000);

  test('stays where the target has no agent', async () => {
    expect(await lab.hostA.refusal(program.id, 'hostC')).toMatchObject({
      code: 'E_NO_AGENT',
      text: expect.stringContaining('hostC'),
      undone: UNTOUCHED,
    });
  });

  test('stays where the target is too old', async () => {
    const { hostC } = lab;
    const agent = hostC.start(['node', join(__dirname, '../support/e2e/old-agent.js'), hostC.keyFile, AGENT_PORT]);
    await agent.stdout.match(/ready/);
    expect(await lab.hostA.refusal(program.id, 'hostC')).toMatchObject({
      code: 'E_VERSION',
      text: expect.stringContaining('0.0.9'),
      undone: UNTOUCHED,
    });
    await agent.kill('SIGKILL');
  });

  test('stays where the target has another key', async () => {
    const { hostC } = lab;
    const own = hostC.key;
    hostC.key = 'ab'.repeat(32);
    const agent = await hostC.startAgent();
    expect(await lab.hostA.refusal(program.id, 'hostC')).toMatchObject({
      code: 'E_KEY',
      text: expect.stringContaining('hostC'),
      undone: UNTOUCHED,
    });
    await agent.kill('SIGTERM');
    hostC.key = own;
  });

  test('stays where the target has no CRIU', async () => {
    const agent = await lab.hostC.startAgent({ MIGRUN_CRIU: '/nowhere/criu' });
    expect(await lab.hostA.refusal(program.id, 'hostC')).toMatchObject({
      code: 'E_NO_CRIU',
      text: expect.stringContaining('/nowhere/criu'),
      undone: UNTOUCHED,
    });
    await agent.kill('SIGTERM');
  });

  test('is not moved by anybody but root', async () => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'migrun'];
    for (const command of [['migrate', program.id, '--to', 'hostB'], ['agent'], ['--', 'true']]) {
      expect(refusalOf(await lab.hostA.run([...nobody, ...command]))).toMatchObject({ code: 'E_ROOT' });
    }
  });
});

test('a program stays where its own host has no CRIU', async () => {
  const program = await lab.hostA.startWrapped(['ticker', '100'], { MIGRUN_CRIU: '/nowhere/criu' });
  expect(await lab.hostA.refusal(program.id, 'hostB')).toMatchObject({
    code: 'E_NO_CRIU',
    text: expect.stringContaining('/nowhere/criu'),
    undone: UNTOUCHED,
  });
  await expectRunning(program);
  await end(program);
});

test('a program with an io_uring stays', async () => {
  const program = await lab.hostA.startWrapped(['uring', '100']);
  await expectRunning(program);
  expect(await lab.hostA.refusal(program.id, 'hostB')).toMatchObject({
    code: 'E_IO_URING',
    text: expect.stringMatching(/\(uring\) has an io_uring/),
    undone: UNTOUCHED,
  });
  await expectRunning(program);
  await end(program);
});

test('a program stays where a peer does not answer, and is told which', async () => {
  const { hostA, hostC } = lab;
  const server = await hostA.startWrapped(['count_server', PORT, '500']);
  await server.console.stderr.match(/^listening/);
  const client = hostC.start(['count_client', '10.77.0.1', PORT]);
  await client.stdout.more(1);
  const port = await localPort(hostC, PORT);

  const refusal = await hostA.refusal(server.id, 'hostB');
  expect(refusal).toMatchObject({
    code: 'E_PEER',
    text: expect.stringContaining(`10.77.0.1:${PORT} - 10.77.0.3:${port} cannot follow`),
    undone: UNTOUCHED,
  });
  await client.stdout.more(100);
  await client.kill('SIGTERM');
  await server.console.ended; // by an end or a reset: the kernel resets where the client left numbers unread
});

async function localPort(host: Host, remotePort: string): Promise<string> {
  const { stdout } = await host.run(['ss', '-Htn', 'dport', '=', `:${remotePort}`]);
  return /:(\d+)\s+\S+:\d+\s*$/.exec(stdout)![1]!;
}
