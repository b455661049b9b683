import { boundNames, namesOfOthers, reasonsOfUnix, unixFacts } from '../../../src/kinds/descriptors/unix-rules';
import type { UnixSocket } from '../../../src/native/index';

const STREAM = 1;
const DATAGRAM = 2;
const ESTABLISHED = 1;
const CLOSED = 7;
const LISTEN = 10;

function socket(inode: number, change: Partial<UnixSocket> = {}): UnixSocket {
  return {
    inode,
    type: STREAM,
    state: ESTABLISHED,
    shutdown: 0,
    peer: 0,
    unreceived: 0,
    name: null,
    waiting: [],
    ...change,
  };
}

const OWN = new Set([1, 2, 3]);
const whyNot = (...all: UnixSocket[]): string[] => reasonsOfUnix(unixFacts(OWN, all)).map(({ message }) => message);

test.each([
  ['a pair', [socket(1, { peer: 2 }), socket(2, { peer: 1 })]],
  ['one whose other end is closed', [socket(1, { shutdown: 3 })]],
  ['one that is not connected', [socket(1, { state: CLOSED })]],
  ['one that waits to be accepted', [socket(1), socket(2, { state: LISTEN, waiting: [1] })]],
  ['datagrams to a name, of the program or not', [socket(1, { type: DATAGRAM, peer: 2 }),
    socket(2, { type: DATAGRAM, name: '@here' }), socket(3, { type: DATAGRAM, peer: 9 }),
    socket(9, { type: DATAGRAM, name: '/dev/log' })]],
])('%s moves', (_name, all) => {
  expect(whyNot(...all)).toEqual([]);
});

test.each([
  ['a stream to another program', [socket(1, { peer: 9 }), socket(9, { peer: 1 })], 'is connected to another program'],
  ['one that another program accepts', [socket(1)], 'waits to be accepted by another program'],
  ['one that has written and waits to be accepted', [socket(1, { unreceived: 5 }),
    socket(2, { state: LISTEN, waiting: [1] })], 'has written what nobody has accepted yet'],
  ['a client of another program that waits', [socket(2, { state: LISTEN, waiting: [9] })],
    "has another program's connection waiting"],
  ['a client that waits and is closed', [socket(2, { state: LISTEN, waiting: [0] })], 'whose other end is closed'],
  ['datagrams to a nameless socket of another program', [socket(1, { type: DATAGRAM, peer: 9 }),
    socket(9, { type: DATAGRAM })], 'a socket without a name, of another program'],
  ['datagrams to a nameless one that sends elsewhere', [socket(1, { type: DATAGRAM, peer: 2 }),
    socket(2, { type: DATAGRAM })], 'which is not connected to it'],
])('%s is refused', (_name, all, text) => {
  expect(whyNot(...all)).toEqual([expect.stringContaining(text)]);
});

test('names that the target must have free, and have', () => {
  const facts = unixFacts(OWN, [socket(1, { name: '/run/own' }), socket(2, { name: '@own' }),
    socket(3, { type: DATAGRAM, peer: 9 }), socket(9, { name: '/dev/log' }), socket(8, { name: '/run/elsewhere' })]);
  expect([boundNames(facts), namesOfOthers(facts)]).toEqual([['/run/own', '@own'], ['/dev/log']]);
});
