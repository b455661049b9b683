/** Descriptors of every kind that moves, all in one program, there and back (docs/descriptors.md). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WrappedProgram } from '../support/e2e/host.js';
import { useLab } from '../support/e2e/lab.js';
import type { Started } from '../support/e2e/started.js';

/** Each host has a /run of its own, as machines have their disks. */
const OWN = '/run/descriptors';
const OTHER = '/run/other';
const FILES =
  `mkdir -p ${OTHER} ${OWN}/watched && cd ${OWN} && printf 'data and' > data && touch flock range ofd lease && mkfifo fifo lone && chmod 600 *`;

/** The names are those of test/fixtures/descriptors.c. */
const CASES = [
  'a pipe with data in it',
  'a full pipe',
  'a pipe of another size',
  'a pipe whose writer is closed',
  'a pipe whose reader is closed',
  'a FIFO with data in it',
  'a FIFO that is open for both',
  'an eventfd',
  'a timerfd that runs',
  'a timerfd that expires meanwhile',
  'a timerfd that has expired',
  'a signalfd, and a signal for it',
  'epoll sets in one another',
  'an edge-triggered epoll set',
  'a oneshot epoll set that has told',
  'an inotify watch',
  'a pidfd of its own',
  'a file at an offset, and a duplicate of it',
  'a log',
  'a deleted file',
  'a deleted file of some size',
  'a directory',
  'a file that is open for its path',
  '/dev/null',
  'a memfd',
  'a sealed memfd',
  'flags, an owner and its signal',
  'a lock of flock(2)',
  'a lock of the process',
  'a lock of the open file',
  'a lease',
  'a pair of UNIX streams',
  'a pair of UNIX datagram sockets',
  'a pair of UNIX sequential packets',
  'a UNIX stream that is shut down one way',
  'a UNIX stream whose other end is closed',
  'a UNIX socket that listens, and a connection to it',
  'a UNIX socket that listens under an abstract name',
  'a UNIX connection that waits to be accepted',
  'named UNIX datagram sockets',
  'a UNIX datagram socket that sends to another program',
  'a descriptor on its way in a message',
];

const lab = useLab();

describe('a program with descriptors of every kind', () => {
  const shared = mkdtempSync(join(tmpdir(), 'descriptors-'));
  const inboxes = new Map<string, Started>();
  let program: WrappedProgram;

  async function say(command: string, answer: RegExp): Promise<readonly string[]> {
    const { stdin, stdout } = program.console;
    const from = stdout.lines.length;
    stdin.write(`${command}\n`);
    await stdout.match(answer, from);
    return stdout.lines.slice(from, -1);
  }

  beforeAll(async () => {
    await lab.startAgents();
    for (const host of [lab.hostA, lab.hostB]) {
      expect(await host.run(['sh', '-c', FILES])).toMatchObject({ status: 0 });
      const inbox = host.start(['inbox', `${OTHER}/receiver`]);
      await inbox.stdout.match(/^ready$/);
      inboxes.set(host.name, inbox);
    }
    program = await lab.hostA.startWrapped(['descriptors', OWN, shared]);
  });

  afterAll(async () => {
    program.console.stdin.end();
    await program.console.succeeds();
    await Promise.all([...inboxes.values()].map((inbox) => inbox.kill('SIGTERM')));
    rmSync(shared, { recursive: true });
  });

  describe.each(
    [
      ['moves', 'hostA', 'hostB'],
      ['moves back', 'hostB', 'hostA'],
    ] as const,
  )('that %s', (_name, from, to) => {
    let results = new Map<string, string>();

    beforeAll(async () => {
      await say('prime', /^primed$/);
      await lab[from].migrate(program.id, lab[to]);
      const lines = await say('check', /^checked$/);
      results = new Map(lines.map((line) => line.split(/: (.*)/, 2) as [string, string]));
    });

    test.each(CASES)('has %s', (name) => {
      expect(results.get(name)).toBe('ok');
    });

    test('has nothing else', async () => {
      expect([...results.keys()].sort()).toEqual([...CASES].sort());
      await inboxes.get(lab[to].name)!.stdout.match(/^to another$/);
    });
  });
});
