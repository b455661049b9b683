/**
 * How the times of migrun stand to each other. A lease outlasts all that may happen under it, and whoever waits for
 * somebody waits longer than that one does.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as times from '../src/times';

const SIZES = [0, 1, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000];

/** When all tries are made: the first at once, the others at doubling intervals. */
function lastTry(tries: number, firstIntervalMs: number): number {
  return firstIntervalMs * (2 ** (tries - 1) - 1);
}

/** HELLO to a few, INTRODUCE of the others, and HELLO to those that this did not register. */
const ACQUAINTANCE_MS = times.HELLO_DEADLINE_MS + times.INTRODUCE_DEADLINE_MS + times.HELLO_DEADLINE_MS;

/** A value that C has as a constant of this name. */
function inC(file: string, name: string): number {
  const text = readFileSync(join(__dirname, '../native', file), 'utf8');
  return Number(new RegExp(`\\b${name}\\b[ =]+(\\d+)`).exec(text)?.[1]);
}

describe('leases and holds', () => {
  test.each([
    [0, times.LEASE_MS],
    [2_500, times.LEASE_MS],
    [5_000, 20_000],
    [1_000_000, times.LONGEST_LEASE_MS],
  ])('the lease of %i connections is %i ms', (connections, ms) => {
    expect(times.leaseFor(connections)).toBe(ms);
  });

  test.each(SIZES)(
    'of %i connections, a lease outlasts a LOCK that nobody answers and the renewal after it',
    (size) => {
      const lease = times.leaseFor(size);
      expect(lease).toBeGreaterThan(times.LOCK_DEADLINE_MS + times.renewalInterval(lease));
    },
  );

  test('our own locks outlast a freeze that must be done twice, in which nothing is renewed', () => {
    expect(times.LEASE_MS).toBeGreaterThan(2 * times.FREEZE_TIMEOUT_MS + times.renewalInterval(times.LEASE_MS));
  });

  test('a lease outlasts the RESUME, one more round of it for a late peer, and the freeze in which that one is let go', () => {
    expect(times.LEASE_MS).toBeGreaterThan(
      times.PROMPT_DEADLINE_MS + times.LATE_DEADLINE_MS + 2 * times.FREEZE_TIMEOUT_MS,
    );
  });

  test('a lease outlasts a supervisor that died, and the RESUME of the one after it', () => {
    expect(times.LEASE_MS).toBeGreaterThan(times.SUPERVISED_TIMEOUT_MS + times.PICK_UP_DEADLINE_MS);
  });

  test('the margin after a lease covers one LOCK that was lost on its way', () => {
    expect(times.LEASE_MARGIN_MS).toBeGreaterThanOrEqual(times.LONGEST_ASK_INTERVAL_MS);
  });

  test('TCP does not give up in a lease, which lengthens no user timeout', () => {
    expect(times.LONGEST_LEASE_MS).toBeLessThan(inC('tcp/user_timeout.c', 'USUAL_TIMEOUT_MS'));
  });

  test('what is held by default is a hold, and the longest one fits a timer of Node and the wire', () => {
    expect(times.LONGEST_LEASE_MS).toBeLessThan(times.DEFAULT_HOLD_MS);
    expect(times.SHORTEST_HOLD_MS).toBeLessThan(times.DEFAULT_HOLD_MS);
    expect(times.DEFAULT_HOLD_MS).toBeLessThan(times.LONGEST_HOLD_MS);
    expect(times.LONGEST_HOLD_MS).toBeLessThan(2 ** 31);
  });

  test('a claim outlasts the asking of all peers, and the RESUME', () => {
    expect(times.CLAIM_MS).toBeGreaterThan(times.claimTimeout(times.CLAIM_DEADLINE_MS) + times.PROMPT_DEADLINE_MS);
    expect(times.CLAIM_MS).toBeLessThanOrEqual(times.LONGEST_CLAIM_MS);
  });
});

describe('the freeze', () => {
  test('a program that stands still waits for less long than one that runs', () => {
    expect(times.LAST_QUIESCE_TIMEOUT_MS).toBeLessThan(times.QUIESCE_TIMEOUT_MS);
  });

  test('a program that was just restored is waited for longer than one that would merely stay', () => {
    expect(times.RESTORED_FREEZE_TIMEOUT_MS).toBeGreaterThan(times.FREEZE_TIMEOUT_MS);
  });

  test('a peer stands still sooner than a program that moves has to, and so does one that is stopped by ptrace', () => {
    expect(times.PEER_FREEZE_TIMEOUT_MS).toBeLessThan(times.FREEZE_TIMEOUT_MS);
    expect(inC('addon/freeze.cc', 'kPtraceTimeoutMs')).toBe(times.PEER_FREEZE_TIMEOUT_MS);
  });
});

describe('peers', () => {
  test.each(
    [
      'HELLO_DEADLINE_MS',
      'INSPECT_DEADLINE_MS',
      'INTRODUCE_DEADLINE_MS',
      'LOCK_DEADLINE_MS',
      'CANCEL_DEADLINE_MS',
      'CANCEL_HOLD_DEADLINE_MS',
      'RESUME_DEADLINE_MS',
      'PICK_UP_DEADLINE_MS',
      'CLAIM_DEADLINE_MS',
      'GIVE_BACK_DEADLINE_MS',
    ] as const,
  )('%s bears an agent that stops a peer first, and leaves time to ask it again', (name) => {
    expect(times[name]).toBeGreaterThan(times.PEER_FREEZE_TIMEOUT_MS);
    expect(times[name]).toBeGreaterThan(2 * times.LONGEST_ASK_INTERVAL_MS);
  });

  test('a hold is cancelled with a longer deadline than a lease, which ends by itself', () => {
    expect(times.CANCEL_HOLD_DEADLINE_MS).toBeGreaterThan(times.CANCEL_DEADLINE_MS);
  });

  test('who only looks waits for less long than who moves, and a frozen program for less long than one that runs', () => {
    expect(times.INSPECT_DEADLINE_MS).toBeLessThan(times.HELLO_DEADLINE_MS);
    expect(times.PROMPT_DEADLINE_MS).toBeLessThan(times.LATE_DEADLINE_MS);
  });

  test('while a program waits for its peers, each is told four times', () => {
    expect(times.PROMPT_DEADLINE_MS).toBeGreaterThan(lastTry(4, times.ASK_INTERVAL_MS));
    expect(times.LATE_DEADLINE_MS).toBeGreaterThan(lastTry(4, times.ASK_INTERVAL_MS));
  });

  test('a peer is not silent for too long in a stretch of RESUMEs that takes twice as long as planned', () => {
    expect(2 * times.RESUME_STRETCH_MS).toBeLessThan(times.PROMPT_DEADLINE_MS);
  });

  test('the target tells its peers twice before the source does too, which does not wait until they are late', () => {
    expect(times.TARGET_HEAD_START_MS).toBeGreaterThan(lastTry(2, times.ASK_INTERVAL_MS));
    expect(times.TARGET_HEAD_START_MS).toBeLessThan(times.PROMPT_DEADLINE_MS);
  });

  test('who asks for a look at all processes asks again when the next look is over, and waits for the first HELLO no longer', () => {
    expect(times.SHORTEST_LOOK_INTERVAL_MS).toBeLessThan(times.LONGEST_LOOK_INTERVAL_MS);
    expect(times.LONGEST_LOOK_INTERVAL_MS).toBeLessThan(times.INTRODUCE_INTERVAL_MS);
    expect(times.HELLO_HEAD_START_MS).toBeLessThan(times.INTRODUCE_INTERVAL_MS);
  });

  test('work that a peer does not announce is borne with, and so is the most that it may announce', () => {
    expect(times.LEAST_ANNOUNCED_WORK_MS).toBeLessThan(times.LOCK_DEADLINE_MS);
    expect(times.LEAST_ANNOUNCED_WORK_MS).toBeLessThan(times.LONGEST_WORK_MS);
  });
});

describe('the agent of this host', () => {
  test.each(SIZES)('for %i connections it is waited for longer than it waits for their peers', (size) => {
    const timeout = times.agentTimeout({ length: size } as unknown[]);
    const work = Math.min(times.LOCK_WORK_PER_CONNECTION_MS * size, times.LONGEST_WORK_MS);
    expect(timeout).toBeGreaterThan(ACQUAINTANCE_MS);
    expect(timeout).toBeGreaterThan(times.INSPECT_DEADLINE_MS);
    expect(timeout).toBeGreaterThan(work + times.LOCK_DEADLINE_MS);
    expect(timeout).toBeGreaterThan(times.RESUME_DEADLINE_MS);
    expect(timeout).toBeGreaterThan(times.PICK_UP_DEADLINE_MS);
  });

  test('it is waited for longer than it waits for a CANCEL', () => {
    expect(times.AGENT_TIMEOUT_MS).toBeGreaterThan(times.CANCEL_DEADLINE_MS);
  });

  test.each(['CLAIM_DEADLINE_MS', 'GIVE_BACK_DEADLINE_MS'] as const)(
    'for a CLAIM it is waited for longer than two %s: it asks one peer, and then the others',
    (name) => expect(times.claimTimeout(times[name])).toBeGreaterThan(2 * times[name]),
  );

  test('the command line waits longer than a suspend that fails with its last peer, and longer than a resume', () => {
    expect(times.SUSPEND_TIMEOUT_MS).toBeGreaterThan(
      ACQUAINTANCE_MS + times.LOCK_DEADLINE_MS + times.CANCEL_HOLD_DEADLINE_MS,
    );
    expect(times.SUSPEND_TIMEOUT_MS).toBeGreaterThan(times.PEER_FREEZE_TIMEOUT_MS + times.RESUME_DEADLINE_MS);
  });

  test('the command line bears an agent that stops a peer first', () => {
    expect(times.COMMAND_TIMEOUT_MS).toBeGreaterThan(times.PEER_FREEZE_TIMEOUT_MS);
  });
});

describe('between hosts', () => {
  test('the door bears with a connection as long as it is tried', () => {
    expect(times.HANDSHAKE_TIMEOUT_MS).toBeGreaterThanOrEqual(times.CONNECT_TIMEOUT_MS);
  });

  test('the source hears that a program is supervised at its target already', () => {
    expect(times.OPEN_TIMEOUT_MS).toBeGreaterThan(times.TAKE_TIMEOUT_MS);
  });

  test('a supervisor that waits for a program is there as long as the source may wait to hear of it', () => {
    expect(times.ARRIVAL_TIMEOUT_MS).toBeGreaterThanOrEqual(times.OPEN_TIMEOUT_MS);
  });

  test('a restore has the time of a migration, and that of the claim', () => {
    const claim = times.claimTimeout(times.CLAIM_DEADLINE_MS);
    expect(times.RESTORE_JUDGE_TIMEOUT_MS).toBeGreaterThanOrEqual(times.JUDGE_TIMEOUT_MS + claim);
    expect(times.RESTORE_COMMIT_TIMEOUT_MS).toBeGreaterThanOrEqual(times.COMMIT_TIMEOUT_MS + claim);
  });

  test('the outcome is asked at growing intervals', () => {
    expect(times.OUTCOME_INTERVAL_MS).toBeLessThan(times.LONGEST_OUTCOME_INTERVAL_MS);
  });
});

describe('who supervises a program', () => {
  test('whoever takes a program over waits for one who is still removing its cgroup', () => {
    expect(times.TAKE_TIMEOUT_MS).toBeGreaterThanOrEqual(times.REMOVE_TIMEOUT_MS);
  });

  test('a supervisor that dies of what it has to pick up, or to remove, has failed', () => {
    expect(times.STEADY_MS).toBeGreaterThan(times.PICK_UP_DEADLINE_MS + times.REMOVE_TIMEOUT_MS);
  });
});

describe('the console', () => {
  const lastInterval = times.CONSOLE_INTERVAL_MS * 2 ** (times.CONSOLE_RETRIES - 1);

  test('it tries again for longer than a supervisor takes that follows one that died', () => {
    expect(lastTry(times.CONSOLE_RETRIES + 1, times.CONSOLE_INTERVAL_MS)).toBeGreaterThan(
      times.SUPERVISED_TIMEOUT_MS + times.TAKE_TIMEOUT_MS + times.PICK_UP_DEADLINE_MS,
    );
  });

  test('a program that has ended waits for a console that is between two tries, and for one that connects from afar', () => {
    expect(times.FAREWELL_TIMEOUT_MS).toBeGreaterThan(lastInterval);
    expect(times.FAREWELL_TIMEOUT_MS).toBeGreaterThanOrEqual(times.CONNECT_TIMEOUT_MS + times.OPEN_CONSOLE_TIMEOUT_MS);
  });
});
