import { hasUdpPeer, isConnectedUdp, reasonsOfUdp, type UdpSocket } from '../../../src/kinds/udp/rules';
import { isUdp } from '../../../src/vocabulary/sockets';
import { at } from '../../support/kinds/facts';

const ADDRESSES = new Set(['10.0.0.1', 'fd00::1']);

function udp(change: Partial<UdpSocket> = {}): UdpSocket {
  return { type: 2, protocol: 17, local: at('0.0.0.0'), remote: at('0.0.0.0', 0), ...change };
}

const codesOf = (socket: UdpSocket, others: UdpSocket[] = []) =>
  reasonsOfUdp(socket, [socket, ...others].filter(isUdp).map(({ local }) => local), ADDRESSES).map(({ code }) => code);

test('what a UDP socket is', () => {
  expect([udp(), udp({ type: 1, protocol: 6 }), udp({ type: 2, protocol: 1 }), udp({ type: 3 })].map(isUdp)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect([udp(), udp({ remote: at('10.0.0.3') })].map(isConnectedUdp)).toEqual([false, true]);
});

test.each(['0.0.0.0', '::', '127.0.0.1', '::1', '239.1.2.3', '255.255.255.255', '10.0.0.1', 'fd00::1',
  '::ffff:10.0.0.1'])('one at %s moves', (address) => {
    expect(codesOf(udp({ local: at(address) }))).toEqual([]);
  });

test('one that is not bound moves', () => {
  expect(codesOf(udp({ local: at('0.0.0.0', 0) }))).toEqual([]);
});

test.each(['10.0.0.9', '10.0.0.255', 'fe80::1', 'fd00::9'])('one at %s, which is of no host, does not', (address) => {
  expect(codesOf(udp({ local: at(address) }))).toEqual(['E_ADDRESS']);
});

describe('one that is connected', () => {
  test.each<[string, string, boolean, ReturnType<typeof at>[]]>([
    ['another host', '10.0.0.3', true, []],
    ['another host, mapped', '::ffff:10.0.0.3', true, []],
    ['a neighbour on this host', '10.0.0.1', true, []],
    ['the program itself', '10.0.0.1', false, [at('0.0.0.0')]],
    ['loopback', '127.0.0.1', false, []],
    ['a group', '239.1.2.3', false, []],
  ])('to %s', (_name, address, hasPeer, locals) => {
    expect(hasUdpPeer(udp({ remote: at(address) }), locals, ADDRESSES)).toBe(hasPeer);
  });

  test('to another host moves', () => {
    expect(codesOf(udp({ local: at('10.0.0.1'), remote: at('10.0.0.3') }))).toEqual([]);
  });

  const loopback = udp({ local: at('127.0.0.1', 6000) });

  test('to another socket of the program moves', () => {
    expect(codesOf(udp({ local: at('127.0.0.1'), remote: at('127.0.0.1', 6000) }), [loopback])).toEqual([]);
    expect(codesOf(udp({ local: at('10.0.0.1'), remote: at('10.0.0.1', 6001) }), [udp({ local: at('0.0.0.0', 6001) })]))
      .toEqual([]);
  });

  test('to a neighbour at a loopback address does not', () => {
    expect(codesOf(udp({ local: at('127.0.0.1'), remote: at('127.0.0.1', 6001) }), [loopback])).toEqual([
      'E_LOCAL_CONNECTION',
    ]);
  });
});

test('a TCP socket at the address is not the other end', () => {
  const listener = { type: 1, protocol: 6, local: at('127.0.0.1', 6000), remote: at('0.0.0.0', 0) };
  expect(codesOf(udp({ local: at('127.0.0.1'), remote: at('127.0.0.1', 6000) }), [listener])).toEqual([
    'E_LOCAL_CONNECTION',
  ]);
});
