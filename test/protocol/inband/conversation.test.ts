import { answerWindow, Conversation, Introduction, type Locked, LOCKED_ENTRIES, type LockedEntry, type Outcome,
  type Resume, RESUME_ENTRIES, splitIntoParts, type StatusEntry } from '../../../src/protocol/inband';
import { ANSWER_WINDOW } from '../../../src/protocol/inband/conversation';
import { type Welcomed } from '../../../src/protocol/inband/introduction';
import { A, acquaint, agent, B, GROUP, HELLO, MIGRATION, received } from '../../support/inband/agents';
import { FakeClock, FakeNetwork, type Weather } from '../../support/inband/fake-network';
import { Random } from '../../support/inband/random';

const FAIR: Weather = { loss: 0, duplication: 0, jitterMs: 1 };
const FOUL: Weather = { loss: 0.3, duplication: 0.3, jitterMs: 30 };
const SEEDS = [1, 2, 3, 4, 5];

const token = (index: number) => index.toString(16).padStart(16, '0');

/** Lets time pass until it settles. */
async function settled<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  void promise.then(() => (done = true));
  for (let step = 0; !done && step < 10_000; step += 1) {
    clock.advance(5);
    await Promise.resolve();
    await Promise.resolve();
  }
  return promise;
}

describe('retransmission', () => {
  function silence(deadlineMs: number) {
    const clock = new FakeClock();
    const times: number[] = [];
    const conversation = new Conversation<string>({
      clock,
      deadlineMs,
      requests: 1,
      transmit: () => times.push(clock.now()),
    }).start();
    return { clock, times, conversation };
  }

  test('after 20 ms, doubling to 500 ms, until the deadline', async () => {
    const { clock, times, conversation } = silence(2000);
    clock.advance(5000);
    expect(times).toEqual([0, 20, 60, 140, 300, 620, 1120, 1620]);
    await expect(conversation.outcome).resolves.toEqual({ complete: false, answers: [[]] });
  });

  test('ends with the answer', async () => {
    const { clock, times, conversation } = silence(2000);
    clock.advance(30);
    conversation.accept(0, 0, 1, 'yes');
    clock.advance(5000);
    expect(times).toEqual([0, 20]);
    await expect(conversation.outcome).resolves.toEqual({ complete: true, answers: [['yes']] });
  });

  test('starts again at 20 ms after progress', () => {
    const { clock, times, conversation } = silence(2000);
    clock.advance(400);
    conversation.accept(0, 0, 2, 'half');
    clock.advance(100);
    expect(times).toEqual([0, 20, 60, 140, 300, 420, 460]);
  });

  test('the deadline begins anew with each sign of progress', async () => {
    const { clock, conversation } = silence(2000);
    for (const part of [0, 1, 2]) {
      clock.advance(1900);
      conversation.accept(0, part, 4, `part ${part}`);
    }
    clock.advance(1999);
    conversation.accept(0, 3, 4, 'part 3');
    await expect(conversation.outcome).resolves.toMatchObject({ complete: true });
  });

  test('an other side that is at work is waited for', async () => {
    const { clock, conversation } = silence(2000);
    clock.advance(1000);
    conversation.bear(5000);
    clock.advance(6900);
    conversation.accept(0, 0, 1, 'done');
    await expect(conversation.outcome).resolves.toMatchObject({ complete: true });
  });

  test('what does not belong to the answer is ignored', async () => {
    const { conversation } = silence(2000);
    conversation.accept(0, 1, 2, 'second');
    conversation.accept(0, 1, 2, 'again');
    conversation.accept(0, 0, 3, 'of another answer');
    conversation.accept(0, 5, 2, 'beyond');
    conversation.accept(7, 0, 1, 'of no request');
    conversation.accept(0, 0, 2, 'first');
    await expect(conversation.outcome).resolves.toEqual({ complete: true, answers: [['first', 'second']] });
  });

  test('stop leaves no timer', async () => {
    const { clock, times, conversation } = silence(2000);
    conversation.stop();
    clock.advance(5000);
    expect(times).toEqual([0]);
    await expect(conversation.outcome).resolves.toMatchObject({ complete: false });
  });
});

describe('LOCK of many connections', () => {
  /** The peer locks each round once, and answers every repetition from its cache. */
  async function askLock(connections: number, weather: Weather, seed: number) {
    const clock = new FakeClock();
    const network = new FakeNetwork(clock, new Random(seed), weather);
    const { a, b, ab, ba } = acquaint();
    let answers: Locked[] | undefined;
    let worked = 0;

    const lock = (): Locked[] => {
      worked += 1;
      const entries = Array.from(
        { length: connections },
        (_unused, index): LockedEntry => ({ token: token(index), status: 'ok', rcvNxt: index }),
      );
      return splitIntoParts(entries, LOCKED_ENTRIES).map((part) => ({
        type: 'locked',
        migration: MIGRATION,
        round: 0,
        ...part,
      }));
    };

    const conversation: Conversation<Locked> = new Conversation<Locked>({
      clock,
      deadlineMs: 20_000,
      requests: 1,
      transmit: (_request, from) => {
        const carried = ab.seal({ type: 'lock', migration: MIGRATION, group: GROUP, leaseMs: 5000, round: 0, from });
        network.send(() => {
          const outcome = b.receive(carried, B);
          if (outcome === null) return;
          const { message } = received('pair', outcome);
          if (message.type !== 'lock') throw new Error(message.type);
          answers ??= lock();
          for (const part of answerWindow(answers, message.from)) {
            const answer = ba.seal(part);
            network.send(() => {
              const back = a.receive(answer, A);
              if (back === null) return;
              const locked = received('pair', back).message as Locked;
              conversation.accept(0, locked.part, locked.parts, locked);
            });
          }
        });
      },
    }).start();
    const outcome = await settled(clock, conversation.outcome);
    return { outcome, worked, clock, network };
  }

  const tokens = ({ answers }: Outcome<Locked>) =>
    (answers[0] ?? []).flatMap(({ entries }) => entries.map((entry) => entry.token));

  test.each([0, 1, LOCKED_ENTRIES, LOCKED_ENTRIES + 1, 10_000])('%i connections', async (connections) => {
    const { outcome, worked } = await askLock(connections, FAIR, 1);
    expect(outcome.complete).toBe(true);
    expect(tokens(outcome)).toEqual(Array.from({ length: connections }, (_unused, index) => token(index)));
    expect(worked).toBe(1);
  });

  test('ten thousand connections do not wait for a timer where nothing is lost', async () => {
    const { clock, network } = await askLock(10_000, FAIR, 1);
    const parts = Math.ceil(10_000 / LOCKED_ENTRIES);
    expect(network.sent).toBe(parts + Math.ceil(parts / ANSWER_WINDOW));
    expect(clock.now()).toBeLessThan(20);
  });

  test.each(SEEDS)('all of 5,000 arrive, once, in foul weather (seed %i)', async (seed) => {
    const { outcome, worked } = await askLock(5000, FOUL, seed);
    expect(outcome.complete).toBe(true);
    expect(tokens(outcome)).toEqual(Array.from({ length: 5000 }, (_unused, index) => token(index)));
    expect(worked).toBe(1);
  });
});

describe('RESUME in parts', () => {
  test.each(SEEDS)('each part is worked on once, from source and target together (seed %i)', async (seed) => {
    const clock = new FakeClock();
    const network = new FakeNetwork(clock, new Random(seed), FOUL);
    const { a, b, ab, ba } = acquaint();
    const host = agent();
    const source = a.moveAway(ab, MIGRATION);
    const target = host.moveHere(source.ticket);
    const peer = b.follow(ba, MIGRATION);
    const entries = Array.from(
      { length: 5000 },
      (_unused, index) => ({ token: token(index), port: index, peerHas: 1 }),
    );
    const parts = splitIntoParts(entries, RESUME_ENTRIES);
    const replies = new Map<number, StatusEntry[]>();
    const rebound: string[] = [];

    const rebind = (resume: Resume): StatusEntry[] => {
      const known = replies.get(resume.part);
      if (known !== undefined) return known;
      const answer = resume.entries.map((entry): StatusEntry => ({ token: entry.token, status: 'ok' }));
      rebound.push(...answer.map((entry) => entry.token));
      replies.set(resume.part, answer);
      return answer;
    };

    const conversations = [
      { keyring: a, move: source },
      { keyring: host, move: target },
    ].map(({ keyring, move }) => {
      const conversation: Conversation<StatusEntry[]> = new Conversation<StatusEntry[]>({
        clock,
        deadlineMs: 20_000,
        requests: parts.length,
        transmit: (request) => {
          const carried = move.seal({
            type: 'resume',
            migration: MIGRATION,
            group: GROUP,
            address: '10.77.0.2',
            peerAddress: '10.77.0.3',
            ...parts[request]!,
          });
          network.send(() => {
            const outcome = b.receive(carried, B);
            if (outcome === null) return;
            const resume = received('move', outcome).message as Resume;
            const answer = peer.seal({ ...resume, type: 'resumed', entries: rebind(resume) });
            network.send(() => {
              const back = keyring.receive(answer, A);
              if (back === null) return;
              const { message } = received('move', back);
              if (message.type === 'resumed') conversation.accept(message.part, 0, 1, [...message.entries]);
            });
          });
        },
      });
      return conversation.start().outcome;
    });
    for (const outcome of await settled(clock, Promise.all(conversations))) {
      expect(outcome.complete).toBe(true);
      expect(outcome.answers.flat(2).map((entry) => entry.token)).toEqual(entries.map((entry) => entry.token));
    }
    expect([...rebound].sort()).toEqual(entries.map((entry) => entry.token));
  });
});

describe('Introduction', () => {
  async function introduce(weather: Weather, seed: number, known: 'stranger' | 'acquainted' | 'restarted') {
    const clock = new FakeClock();
    const network = new FakeNetwork(clock, new Random(seed), weather);
    const met = acquaint();
    const a = known === 'stranger' ? agent() : met.a;
    const b = known === 'restarted' ? agent() : met.b;
    let registered = 0;

    const introduction: Introduction = new Introduction({
      clock,
      keyring: a,
      hello: HELLO,
      ends: A,
      pair: known === 'stranger' ? null : met.ab,
      deadlineMs: 10_000,
      transmit: (carried) =>
        network.send(() => {
          const outcome = b.receive(carried, B);
          if (outcome === null) return;
          const { message, proved, pair } = received('hello', outcome);
          registered += proved ? 1 : 0;
          const answer = pair.welcome({ ...message, type: 'welcome', registered: proved, status: 'ok' }, B);
          network.send(() => {
            const back = a.receive(answer, A);
            if (back !== null) introduction.accept(received('welcome', back).message, received('welcome', back).pair);
          });
        }),
    });
    const outcome: Welcomed | null = await settled(clock, introduction.run());
    return { outcome, registered, network, b };
  }

  test.each(
    [
      ['stranger', 4],
      ['acquainted', 2],
      ['restarted', 4],
    ] as const,
  )('of a %s takes %i segments', async (known, segments) => {
    const { outcome, registered, network, b } = await introduce(FAIR, 1, known);
    expect(outcome).toMatchObject({ status: 'ok', pair: { peerId: b.own.id } });
    expect(registered).toBe(1);
    expect(network.sent).toBe(segments);
  });

  test.each(SEEDS)('in foul weather (seed %i)', async (seed) => {
    const { outcome, registered } = await introduce(FOUL, seed, 'stranger');
    expect(outcome).toMatchObject({ status: 'ok' });
    expect(registered).toBeGreaterThan(0);
  });

  test('where no agent is, gives null at the deadline', async () => {
    const { outcome } = await introduce({ loss: 1, duplication: 0, jitterMs: 0 }, 1, 'stranger');
    expect(outcome).toBeNull();
  });
});
