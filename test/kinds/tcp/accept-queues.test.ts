import { readFileSync } from 'node:fs';
import { acceptQueues } from '../../../src/kinds/tcp/accept-queues';
import { at, facts, HOST, judged, listening } from '../../support/kinds/facts';

test('an accept queue is not longer than this host lets one be', async () => {
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')) + 1;
  const local = at('0.0.0.0', 80);
  expect(await judged(acceptQueues, [{ local, waiting: most }])).toEqual([]);
  expect(await judged(acceptQueues, [{ local, waiting: most + 1 }])).toEqual([{
    code: 'E_ACCEPT_QUEUE',
    message: expect.stringContaining(`${most + 1} connections wait`) as string,
  }]);
});

test('the target must have room for what waits', () => {
  const sockets = [listening({ local: at('0.0.0.0', 80), backlog: 3 }), listening({ local: at('0.0.0.0', 81) })];
  expect(acceptQueues.needs!.of(facts({ sockets }), undefined, HOST)).toEqual([{
    local: at('0.0.0.0', 80),
    waiting: 3,
  }]);
});

describe('a client that has closed its end', () => {
  const [ESTABLISHED, CLOSE_WAIT] = [1, 8];
  const connection = { local: at('10.0.0.1', 80), remote: at('10.0.0.3', 50000) };
  const leaving = () => acceptQueues.leave!({ program: { identity: { id: '1a2b3c4d' } }, tools: {} } as never);

  test.each([
    ['no-owner', CLOSE_WAIT, true],
    ['no-socket', CLOSE_WAIT, true],
    ['no-agent', CLOSE_WAIT, false],
    ['no-owner', ESTABLISHED, false],
  ])('and of whom its agent says %s, in state %i: need not be told is %s', (status, state, expected) => {
    const part = leaving();
    expect(part.excuses!({ connection, status }, [{ ...connection, state }])).toBe(expected);
    expect(part.isExcused!(connection)).toBe(expected);
  });

  test('is one that waits to be accepted: another connection of the program is none', () => {
    const part = leaving();
    const other = { ...connection, remote: at('10.0.0.3', 50001), state: CLOSE_WAIT };
    expect(part.excuses!({ connection, status: 'no-owner' }, [other])).toBe(false);
    expect(part.isExcused!(connection)).toBe(false);
  });
});
