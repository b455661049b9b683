import { endAway, InsideEnds, NewAddresses, reasonsOfNeighbours } from '../../src/kinds/ends';
import { at, HOST, nobody } from '../support/kinds/facts';

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

const routes: Record<string, string> = { '10.0.0.1': '10.0.0.2', 'fd00::1': 'fd00::2' };
const addresses = new NewAddresses(
  new Set(['10.0.0.1', 'fd00::1', '192.168.7.1']),
  (address) => routes[address] ?? null,
);

describe('where a socket is bound to', () => {
  test.each([
    ['any address', 2, '0.0.0.0', '0.0.0.0'],
    ['any address of IPv6', 10, '::', '::'],
    ['loopback', 2, '127.0.0.1', '127.0.0.1'],
    ['a multicast group', 2, '239.1.2.3', '239.1.2.3'],
    ['an address of the host', 2, '10.0.0.1', '10.0.0.2'],
    ['one of IPv6', 10, 'fd00::1', 'fd00::2'],
    ['a mapped one', 10, '::ffff:10.0.0.1', '::ffff:10.0.0.2'],
  ])('%s', (_name, family, old, now) => {
    expect(addresses.local({ family, local: at(old), remote: nobody })).toEqual(at(now));
  });

  test('one that the new host has nothing for', () => {
    expect(addresses.local({ family: 2, local: at('192.168.7.1'), remote: nobody })).toBeNull();
  });

  test('a connected one gets its address from the route to its remote', () => {
    expect(addresses.local({ family: 2, local: at('10.0.0.1'), remote: at('10.0.0.3', 53) })).toEqual(at('0.0.0.0'));
    expect(addresses.local({ family: 10, local: at('::ffff:10.0.0.1'), remote: at('::ffff:10.0.0.3', 53) })).toEqual(
      at('::'),
    );
    expect(addresses.local({ family: 2, local: at('127.0.0.1'), remote: at('127.0.0.1', 53) })).toEqual(
      at('127.0.0.1'),
    );
  });
});

describe('where a remote is', () => {
  const inside = [at('10.0.0.1', 6000), at('0.0.0.0', 6001), at('127.0.0.1', 6002)];

  test.each([
    ['elsewhere', '10.0.0.3', 6000, '10.0.0.3'],
    ['in the program', '10.0.0.1', 6000, '10.0.0.2'],
    ['in the program, at any address', '10.0.0.1', 6001, '10.0.0.2'],
    ['in the program, at loopback', '127.0.0.1', 6002, '127.0.0.1'],
    ['a neighbour on the old host', '10.0.0.1', 7000, '10.0.0.1'],
    ['nowhere', '0.0.0.0', 0, '0.0.0.0'],
  ])('%s', (_name, address, port, now) => {
    expect(addresses.remote(at(address, port), 2, inside)).toEqual(at(now, port));
  });
});

test('where multicast is sent from', () => {
  expect(['0.0.0.0', '10.0.0.1', '192.168.7.1'].map((old) => addresses.multicastInterface(old))).toEqual(['0.0.0.0',
    '10.0.0.2', '0.0.0.0']);
});

test.each([
  ['loopback', 2, '127.0.0.1', '127.0.0.1'],
  ['an address of the host', 2, '10.0.0.1', '10.0.0.2'],
  ['a mapped one', 10, '::ffff:10.0.0.1', '::ffff:10.0.0.2'],
  ['one that the new host has nothing for', 2, '192.168.7.1', undefined],
])('where an end of a connection within the program is: %s', (_name, family, old, now) => {
  expect(addresses.inside(at(old), family)).toEqual(now === undefined ? null : at(now));
});
