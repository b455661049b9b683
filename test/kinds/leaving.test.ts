import type { Facts, Frozen, Kind, Leaving } from '../../src/kinds/kind';
import { LeavingKinds, ReceivedByOthers } from '../../src/kinds/leaving';
import type { LeavingProgram } from '../../src/kinds/program';
import { KINDS } from '../../src/kinds/table';
import { connectionName } from '../../src/vocabulary/endpoint';
import { at, facts } from '../support/kinds/facts';

/** The table is filled by each test. */
jest.mock('../../src/kinds/table', () => ({ KINDS: [] }));
const table = KINDS as Kind[];

const FROZEN = {} as Frozen;
const CONNECTION = { local: at('10.0.0.1', 80), remote: at('10.0.0.3', 50000) };
const OTHER = { local: at('10.0.0.1', 80), remote: at('10.0.0.3', 50001) };

/** What was asked of whom, in its order. */
let story: string[];
beforeEach(() => {
  story = [];
  table.length = 0;
});

/** Kinds of these names; the parts of those without one are left out. */
function kinds(parts: Record<string, Leaving | undefined>): LeavingKinds {
  for (const [name, part] of Object.entries(parts))
    table.push(part === undefined ? { name } : { name, leave: () => part });
  return new LeavingKinds({} as LeavingProgram);
}

const tells = (text: string) => (): void => void story.push(text);

describe('what is undone', () => {
  const failing = (name: string) => (): Promise<void> => {
    story.push(`put back ${name}`);
    return Promise.reject(new Error(`${name} is lost`));
  };

  test('is put back in the reverse order, each kind after the one behind it', async () => {
    const slow = async (): Promise<void> => {
      story.push('put back b');
      await new Promise((resolve) => setTimeout(resolve, 10));
      story.push('b is back');
    };
    const all = kinds({ a: { putBack: tells('put back a') }, none: undefined, b: { putBack: slow }, c: {} });
    await all.putBack(FROZEN);
    expect(story).toEqual(['put back b', 'b is back', 'put back a']);
  });

  test('is put back of every kind, whatever becomes of another; the first failure is told', async () => {
    const thrown = (): void => {
      story.push('put back b');
      throw new Error('b is lost');
    };
    const all = kinds({ a: { putBack: tells('put back a') }, b: { putBack: thrown }, c: { putBack: failing('c') } });
    await expect(all.putBack(FROZEN)).rejects.toThrow('c is lost');
    expect(story).toEqual(['put back c', 'put back b', 'put back a']);
  });

  test('is unsaved in the reverse order too', () => {
    kinds({ a: { unsave: tells('a') }, b: { unsave: tells('b') } }).unsave();
    expect(story).toEqual(['b', 'a']);
  });
});

test('what moves is taken in the order of the table, each kind after the one before', async () => {
  const slow = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    story.push('a');
  };
  await kinds({ a: { take: slow }, b: { take: tells('b') } }).take(FROZEN);
  expect(story).toEqual(['a', 'b']);
});

test('a failure to take is told at once', async () => {
  const all = kinds({ a: { take: () => Promise.reject(new Error('a is gone')) }, b: { take: tells('b') } });
  await expect(all.take(FROZEN)).rejects.toThrow('a is gone');
  expect(story).toEqual([]);
});

test('the answers of all kinds are one', async () => {
  const reason = (code: string) => ({ code, message: code });
  const all = kinds({
    a: { refuse: () => [reason('E_A')], nameless: () => [1], external: () => ['tty'], leave: () => [3] },
    b: {},
    c: { refuse: () => [reason('E_C')], nameless: () => [2], leave: () => Promise.resolve([4, 3]) },
  });
  expect(all.refuse(FROZEN, facts() satisfies Facts)).toEqual([reason('E_A'), reason('E_C')]);
  expect(all.nameless(FROZEN)).toEqual([1, 2]);
  expect(all.external()).toEqual(['tty']);
  expect(await all.leave()).toEqual(new Set([3, 4]));
});

test('what travels is by the name of its kind, and nothing of those of which nothing does', () => {
  const received = new ReceivedByOthers(new Map());
  expect(kinds({ a: { state: () => ['x'] }, b: {}, c: { state: () => null } }).state(FROZEN, received)).toEqual({
    a: ['x'],
    c: null,
  });
});

test('a peer that one kind excuses is excused, and nobody is told of its connection', () => {
  const all = kinds({
    a: { excuses: () => false },
    b: {
      excuses: ({ status }) => status === 'no-owner',
      isExcused: (connection) => connectionName(connection) === connectionName(CONNECTION),
    },
  });
  expect(all.excuses({ connection: CONNECTION, status: 'no-owner' }, [])).toBe(true);
  expect(all.excuses({ connection: CONNECTION, status: 'no-agent' }, [])).toBe(false);
  expect(all.unexcused([CONNECTION, OTHER])).toEqual([OTHER]);
});

test('those whose peers are lost are known by their names', () => {
  const lost: string[] = [];
  kinds({ a: { armResets: (names) => void lost.push(...names) } }).armResets([CONNECTION]);
  expect(lost).toEqual([connectionName(CONNECTION)]);
});

describe('what others have received', () => {
  const [one, other] = [at('127.0.0.1', 1), at('127.0.0.1', 2)];

  test('is what the peer said when it was locked, however its connection is written', () => {
    const received = new ReceivedByOthers(new Map([[connectionName(CONNECTION), { rcvNxt: 17 }]]));
    expect(received.byPeer(CONNECTION)).toBe(17);
    expect(received.byPeer({ local: at('::ffff:10.0.0.1', 80), remote: at('::ffff:10.0.0.3', 50000) })).toBe(17);
    expect(received.byPeer(OTHER)).toBeUndefined();
    expect(received.inside(CONNECTION)).toBeUndefined();
  });

  test('is known of a peer that answers later, as soon as it has', () => {
    const told = new Map<string, { rcvNxt: number }>();
    const received = new ReceivedByOthers(told);
    expect(received.byPeer(CONNECTION)).toBeUndefined();
    told.set(connectionName(CONNECTION), { rcvNxt: 18 });
    expect(received.byPeer(CONNECTION)).toBe(18);
  });

  test('is what the other end has, where both are the program itself', () => {
    const received = new ReceivedByOthers(new Map());
    received.note([{ local: one, remote: other, rcvNxt: 5 }, { ...CONNECTION, rcvNxt: 6 }]);
    expect(received.inside({ local: one, remote: other })).toBeUndefined(); // one end alone
    received.note([{ local: at('::ffff:127.0.0.1', 2), remote: at('::ffff:127.0.0.1', 1), rcvNxt: 7 }]);
    expect(received.inside({ local: one, remote: other })).toBe(7);
    expect(received.inside({ local: other, remote: one })).toBe(5);
    expect(received.inside(CONNECTION)).toBeUndefined();
  });

  test('of a socket that is connected to itself is what it has itself', () => {
    const received = new ReceivedByOthers(new Map());
    received.note([{ local: one, remote: one, rcvNxt: 9 }]);
    expect(received.inside({ local: one, remote: one })).toBe(9);
  });
});
