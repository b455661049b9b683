import { endAway, InsideEnds, reasonsOfNeighbours } from '../../src/kinds/ends';
import { at, HOST } from '../support/kinds/facts';

describe("the other end is the program's own", () => {
  const ends = new InsideEnds([
    { local: at('127.0.0.1', 1), remote: at('127.0.0.1', 2) },
    { local: at('::ffff:127.0.0.1', 2), remote: at('::ffff:127.0.0.1', 1) },
    { local: at('::1', 3), remote: at('::1', 3) },
    { local: at('10.0.0.1', 4), remote: at('10.0.0.3', 5) },
  ]);

  test.each([
    ['from both sides', at('127.0.0.1', 1), at('127.0.0.1', 2), true],
    ['from both sides, mapped', at('127.0.0.1', 2), at('127.0.0.1', 1), true],
    ['of a socket that is connected to itself', at('::1', 3), at('::1', 3), true],
    ['not on another host', at('10.0.0.1', 4), at('10.0.0.3', 5), false],
    ['not on another port', at('127.0.0.1', 1), at('127.0.0.1', 9), false],
  ])('%s', (_name, local, remote, isOwn) => {
    expect(ends.hasOther({ local, remote })).toBe(isOwn);
  });
});

test.each([
  ['127.0.0.1', '10.0.0.1'],
  ['127.8.8.8', '10.0.0.1'],
  ['::ffff:127.0.0.1', '::ffff:10.0.0.1'],
  ['10.0.0.3', '10.0.0.3'],
  ['fd00::3', 'fd00::3'],
  ['::1', undefined],
])('a neighbour at %s is at %s when the program has left', (address, there) => {
  expect(endAway(at(address), HOST)).toEqual(there === undefined ? null : at(there));
});

test('one that no other host could reach keeps the program, by name', () => {
  const [local, remote] = [at('::1', 40000), at('::1')];
  expect(reasonsOfNeighbours([{ local, remote }], HOST)).toEqual([{
    code: 'E_LOCAL_CONNECTION',
    message: expect.stringContaining('[::1]:40000 - [::1]:5000') as string,
  }]);
  expect(reasonsOfNeighbours([{ local, remote }], { ...HOST, ipv6: 'fd00::1' })).toEqual([]);
});
