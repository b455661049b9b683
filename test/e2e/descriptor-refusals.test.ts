/** Descriptors that cannot move are refused by name, and the program goes on with them (docs/descriptors.md). */
import type { WrappedProgram } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';

const FOLDER = '/run/refused';

/** The names are those of test/fixtures/refused.c. */
const CASES = [
  ['a userfaultfd', 'E_DESCRIPTOR', 'has a userfaultfd, which cannot move'],
  ['a fanotify group', 'E_DESCRIPTOR', 'has a fanotify group'],
  ['an io_uring', 'E_IO_URING', 'has an io_uring'],
  ['a perf event', 'E_DESCRIPTOR', 'has a perf event'],
  ['a BPF map', 'E_DESCRIPTOR', 'has a BPF map'],
  ['a namespace', 'E_DESCRIPTOR', 'has the net namespace of this host open'],
  ['a file of a process', 'E_DESCRIPTOR', "on another host that number is another process's"],
  ['a terminal of its own', 'E_DEVICE', 'has the device /dev/'],
  ['a network device', 'E_DEVICE', 'has the device /dev/net/tun'],
  ['secret memory', 'E_DESCRIPTOR', 'has a secret memory area'],
  ['a message queue', 'E_DESCRIPTOR', 'has the message queue /refused open'],
  ['an eventfd as a semaphore', 'E_DESCRIPTOR', 'EFD_SEMAPHORE'],
  ['an eventfd with a large count', 'E_DESCRIPTOR', 'a count of more than 32 bits'],
  ['events of inotify', 'E_DESCRIPTOR', 'events of inotify that it has not read'],
  ['a pipe in packet mode', 'E_DESCRIPTOR', 'packet mode'],
  ['a FIFO with another program', 'E_DESCRIPTOR', `has ${FOLDER}/fifo open, whose other end another program has`],
  ['a deleted file under another name', 'E_FILE', 'under another name'],
  ['a large deleted file', 'E_FILE', 'large (deleted) open: 67112960 bytes'],
  ['a netlink socket', 'E_SOCKET_KIND', 'neither TCP nor UDP nor UNIX'],
  ['a packet socket', 'E_SOCKET_KIND', 'neither TCP nor UDP nor UNIX'],
  ['a UNIX stream to another program', 'E_UNIX_SOCKET', 'waits to be accepted by another program'],
  ['a UNIX connection with data that waits', 'E_UNIX_SOCKET', 'has written what nobody has accepted yet'],
  ['a closed UNIX connection that waits', 'E_UNIX_SOCKET', 'has a connection waiting whose other end is closed'],
] as const;

/** Cases that only the target can find. */
const TARGET_CASES = [
  ['a file that only this host has', 'E_FILE', `${FOLDER}/own, which the program has open, is not here`],
  ['a UNIX socket that sends to nobody there', 'E_UNIX_NAME',
    `sends to the UNIX socket ${FOLDER}/inbox, and nobody has it there`],
  ['a UNIX name that is taken there', 'E_UNIX_NAME', `the UNIX socket ${FOLDER}/name is another program's there`],
] as const;

/** Only a program that stands still shows these. */
const LATE_CASES = [
  ['an empty UNIX datagram', 'E_UNIX_SOCKET', 'a message of no bytes waits'],
  ['an empty UNIX datagram among others', 'E_UNIX_SOCKET', 'a message of no bytes waits'],
  ['a TCP socket on its way', 'E_SOCKET_KIND', 'on its way in it'],
  ['a userfaultfd on its way', 'E_DESCRIPTOR', 'on its way in it'],
] as const;

const lab = useLab();

describe('a program with', () => {
  const others: Started[] = [];
  let program: WrappedProgram;

  async function say(command: string, answer: string): Promise<void> {
    const { stdin, stdout } = program.console;
    const from = stdout.lines.length;
    stdin.write(`${command}\n`);
    expect((await stdout.match(/./, from))[0] + stdout.lines[from]!.slice(1)).toBe(answer);
  }

  beforeAll(async () => {
    await lab.startAgents();
    for (const host of [lab.hostA, lab.hostB])
      expect(await host.run(['sh', '-c', `mkdir ${FOLDER} && mkfifo ${FOLDER}/fifo`])).toMatchObject({ status: 0 });
    others.push(lab.hostA.start(['inbox', `${FOLDER}/inbox`]), lab.hostB.start(['inbox', `${FOLDER}/name`]));
    for (const other of others) await other.stdout.match(/^ready$/);
    others.push(lab.hostA.start(['sh', '-c', `exec sleep 1000 <> ${FOLDER}/fifo`]));
    program = await lab.hostA.startWrapped(['refused']);
  });

  afterAll(async () => {
    program.console.stdin.end();
    await program.console.succeeds();
    await Promise.all(others.map((other) => other.kill('SIGTERM')));
  });

  describe('what this host knows of', () => {
    let reasons: readonly { code: string; message: string }[] = [];

    beforeAll(async () => {
      for (const [name] of CASES) await say(name, 'made');
      const { stdout } = await lab.hostA.run(['migrun', 'inspect', program.id, '--json']);
      ({ reasons } = JSON.parse(stdout) as { reasons: typeof reasons });
    });

    afterAll(() => say('close', 'closed'));

    test.each(CASES)('%s stays', (_name, code, text) => {
      expect(reasons).toContainEqual({ code, message: expect.stringContaining(text) as string });
    });

    test('stays for nothing else, and untouched', async () => {
      expect(reasons).toHaveLength(CASES.length);
      expect(await lab.hostA.refusal(program.id, 'hostB')).toMatchObject({ undone: ['preflight'] });
    });
  });

  test('what the target lacks stays', async () => {
    for (const [name] of TARGET_CASES) await say(name, 'made');
    const { text, undone } = await lab.hostA.refusal(program.id, 'hostB');
    expect(undone).toEqual(['preflight']);
    for (const [, code, part] of TARGET_CASES) expect(text).toMatch(new RegExp(`${code}: .*${part}`));
    await say('close', 'closed');
  });

  test.each(LATE_CASES)('%s stays, once it stands still, and again', async (name, code, text) => {
    await say(name, 'made');
    for (let tries = 0; tries < 2; tries++) {
      expect(await lab.hostA.refusal(program.id, 'hostB')).toMatchObject({
        code,
        text: expect.stringContaining(text),
        undone: ['lock', 'freeze', 'lock-peers', 'preflight'],
      });
    }
    await say('close', 'closed');
  });

  test('all of it closed moves', async () => {
    await lab.hostA.migrate(program.id, lab.hostB);
    await say('close', 'closed');
  });
});
