import { Programs, shim } from '../support/shim/programs.js';

const EINTR = 4;
const EAGAIN = 11;
const ETIMEDOUT = 110;
const SIGUSR1 = 10;
const BULK = 8 << 20;
const PIPE = 1 << 20;
const SHORT_MS = 300;

/** What a call returns when only a freeze came in between, and how long it must have waited. */
interface Case {
  readonly name: string;
  readonly result: number;
  readonly error?: number;
  readonly atLeastMs?: number;
}

/** A stop shows in these (signal(7)): without the shim they would end. */
const shown: Case[] = [
  { name: 'epoll_wait', result: 1 },
  { name: 'epoll_pwait', result: 1 },
  { name: 'epoll_pwait2', result: 1 },
  { name: 'epoll_timeout', result: 0, atLeastMs: SHORT_MS },
  { name: 'read', result: 1 },
  { name: 'recv', result: 1 },
  { name: 'recvmsg', result: 1 },
  { name: 'accept', result: -1, error: EAGAIN, atLeastMs: SHORT_MS },
  { name: 'sigwaitinfo', result: SIGUSR1 },
  { name: 'sigtimedwait', result: SIGUSR1 },
  { name: 'semop', result: 0 },
  { name: 'semtimedop', result: 0 },
];

/** These return how much was done: without the shim, less. */
const cutShort: Case[] = [
  ...['send', 'zerocopy', 'write', 'writev', 'sendmsg', 'sendmmsg', 'sendfile'].map((name) => ({ name, result: BULK })),
  { name: 'splice', result: PIPE },
  ...['waitall', 'waitall_parts', 'waitall_look', 'waitall_look_parts', 'lowat', 'lowat_read', 'lowat_readv'].map(
    (name) => ({ name, result: 8 })
  ),
];

/** This one would be cut short too, and leave an error behind, so the shim waits in another call. */
const apart: Case[] = [{ name: 'recvmmsg', result: 8 }];

/** These go on by themselves after a stop, but not after a restore: without the shim they would end. */
const restarted: Case[] = [
  { name: 'poll', result: 1 },
  { name: 'poll_timeout', result: 0, atLeastMs: SHORT_MS },
  { name: 'nanosleep', result: 0, atLeastMs: SHORT_MS },
  { name: 'clock_nanosleep', result: 0, atLeastMs: SHORT_MS },
  { name: 'usleep', result: 0, atLeastMs: SHORT_MS },
  { name: 'sem_timedwait', result: -1, error: ETIMEDOUT, atLeastMs: SHORT_MS - 1 },
  { name: 'sem_clockwait', result: -1, error: ETIMEDOUT, atLeastMs: SHORT_MS - 1 },
];

/** These go on by themselves after anything, with what is left of their time, so the shim does not have them. */
const leftAlone: Case[] = ['ppoll', 'ppoll_timeout', 'select', 'select_timeout', 'pselect'].map((name) =>
  name.endsWith('timeout') ? { name, result: 0, atLeastMs: SHORT_MS } : { name, result: 1 }
);

const hidden = [...shown, ...cutShort, ...apart, ...restarted];

describe('a call in progress when the program is frozen', () => {
  let programs: Programs;

  beforeAll(() => {
    programs = new Programs(['interrupted']);
  });

  afterAll(() => {
    programs.remove();
  });

  async function interrupted(name: string, how: string, what: string) {
    const run = await programs.run('interrupted', [shim, name, how, what]);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    const [result, error, milliseconds] = run.stdout.split(' ').map(Number);
    return { result, error, milliseconds };
  }

  describe.each(['ptrace', 'cgroup', 'restore'])('by %s', (how) => {
    test.each(hidden)('$name goes on as if nothing had been', async ({ name, result, error = 0, atLeastMs = 0 }) => {
      const outcome = await interrupted(name, how, 'told');
      expect(outcome).toMatchObject({ result, error });
      expect(outcome.milliseconds).toBeGreaterThanOrEqual(atLeastMs);
    });
  });

  test.each(['ptrace', 'cgroup', 'restore'])('by %s shows in none that the shim leaves alone', async (how) => {
    for (const { name, result, atLeastMs = 0 } of leftAlone) {
      const outcome = await interrupted(name, how, 'untold');
      expect({ name, ...outcome }).toMatchObject({ name, result, error: 0 });
      expect(outcome.milliseconds).toBeGreaterThanOrEqual(atLeastMs);
    }
  });

  test.each(shown)('$name would show it without the shim', async ({ name }) => {
    expect(await interrupted(name, 'cgroup', 'untold')).toMatchObject({ result: -1, error: EINTR });
  });

  test.each(cutShort)('$name would be cut short without the shim', async ({ name, result }) => {
    const outcome = await interrupted(name, 'cgroup', 'untold');
    expect(outcome.result).toBeGreaterThan(0);
    expect(outcome.result).toBeLessThan(result);
  });

  test.each(restarted)('$name would show a restore without the shim', async ({ name }) => {
    expect(await interrupted(name, 'restore', 'untold')).toMatchObject({ result: -1, error: EINTR });
  });

  test.each([...shown, ...restarted])('$name shows a signal of the program itself', async ({ name }) => {
    expect(await interrupted(name, 'cgroup', 'handled')).toMatchObject({ result: -1, error: EINTR });
  });

  test.each([...cutShort, ...apart])(
    '$name is cut short by a signal of the program itself',
    async ({ name, result }) => {
      const outcome = await interrupted(name, 'cgroup', 'handled');
      expect(outcome.result).toBeGreaterThan(0);
      expect(outcome.result).toBeLessThan(result);
    },
  );

  test('sleep lasts its whole time', async () => {
    for (const how of ['cgroup', 'restore']) {
      const outcome = await interrupted('sleep', how, 'told');
      expect(outcome).toMatchObject({ result: 0, error: 0 });
      expect(outcome.milliseconds).toBeGreaterThanOrEqual(1000);
    }
  });

  test('thrd_sleep lasts its whole time, and tells of a signal in its own way', async () => {
    expect(await interrupted('thrd_sleep', 'restore', 'told')).toMatchObject({ result: 0, error: 0 });
    expect(await interrupted('thrd_sleep', 'restore', 'untold')).toMatchObject({ result: -1, error: 0 });
    expect(await interrupted('thrd_sleep', 'cgroup', 'handled')).toMatchObject({ result: -1, error: 0 });
  });
});
