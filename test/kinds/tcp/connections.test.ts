import { peersOf, refuse, refuseAway } from '../../../src/kinds/look';
import { connections } from '../../../src/kinds/tcp/connections';
import { native } from '../../../src/native';
import { ownAddresses } from '../../../src/program/facts';
import { isLocal } from '../../../src/vocabulary/endpoint';
import { isConnection, tcpStateName } from '../../../src/vocabulary/sockets';
import { at, connected, facts, HOST, judged, listening, nobody, refused, udpSocket } from '../../support/kinds/facts';

describe('a connection', () => {
  test.each([1, 4, 5, 8, 9, 11])('in state %i is carried as one', (state) => {
    expect(isConnection(connected({ state }))).toBe(true);
    expect(refused([], [connected({ state })])).toEqual([]);
  });

  test.each([3, 6, 12])('in state %i waits until that has passed', (state) => {
    expect(isConnection(connected({ state }))).toBe(false);
    const [reason] = refuse(facts({ sockets: [connected({ state })] }));
    expect(reason).toEqual({ code: 'E_TCP_STATE', message: expect.stringContaining(tcpStateName(state)) as string });
  });

  test('that is closed is carried, and is none', () => {
    expect(refused([], [connected({ state: 7, remote: nobody })])).toEqual([]);
    expect(isConnection(connected({ state: 7 }))).toBe(false);
  });

  test('with a link-local address is refused', () => {
    expect(refused([], [connected({ local: at('fe80::1', 80), remote: at('fe80::2', 90) })])).toEqual(['E_ADDRESS']);
  });

  test.each([
    ['loopback', '127.0.0.1', '127.0.0.1'],
    ['another loopback address', '127.0.0.1', '127.0.0.9'],
    ['IPv6 loopback', '::1', '::1'],
    ['mapped loopback', '::ffff:127.0.0.1', '::ffff:127.0.0.2'],
    ["the host's own address", '10.0.0.1', '10.0.0.1'],
  ])('over %s stays on one host', (_name, local, remote) => {
    const socket = connected({ local: at(local, 1), remote: at(remote, 2) });
    expect(isLocal(socket)).toBe(true);
    expect(refused([], [socket])).toEqual([]);
  });
});

const [A, C] = [at('10.0.0.1', 4884), at('10.0.0.3', 50000)];

describe('peers', () => {
  test('are at the other ends of connections and of UDP sockets that are connected to others', () => {
    const sockets = [
      udpSocket({ local: A, remote: C }),
      connected({ local: A, remote: C }),
      listening({ local: A }),
      udpSocket({ local: A }),
      udpSocket({ local: at('127.0.0.1', 1), remote: at('127.0.0.1', 2) }),
      udpSocket({ local: A, remote: at('10.0.0.1', 4884) }),
      udpSocket({ local: A, remote: at('239.1.2.3', 2) }),
    ];
    expect(peersOf(facts({ sockets }))).toEqual([{ local: A, remote: C }, { local: A, remote: C, udp: true }]);
  });

  test('a connection between two sockets of the program has none, one with a neighbour at loopback has', () => {
    const [one, other, third] = [at('127.0.0.1', 1), at('::ffff:127.0.0.1', 2), at('127.0.0.1', 3)];
    const sockets = [connected({ local: one, remote: at('127.0.0.1', 2) }),
      connected({ local: other, remote: at('::ffff:127.0.0.1', 1) }), connected({ local: third, remote: one })];
    expect(peersOf(facts({ sockets }))).toEqual([{ local: third, remote: one }]);
    const waiting = [{ local: one, remote: third, state: 1 }];
    expect(peersOf(facts({ sockets, waiting }))).toEqual([]);
  });

  test('a connection that waits to be accepted has one', () => {
    expect(peersOf(facts({ waiting: [{ local: A, remote: C, state: 8 }] }))).toEqual([{ local: A, remote: C }]);
  });

  test('that no other host could reach keep the program, by name', () => {
    const [local, remote] = [at('::1', 40000), at('::1')];
    const sockets = [connected({ local, remote })];
    expect(refuseAway(facts({ sockets }), HOST)).toEqual([{
      code: 'E_LOCAL_CONNECTION',
      message: expect.stringContaining('[::1]:40000 - [::1]:5000') as string,
    }]);
    expect(refuseAway(facts({ sockets }), { ...HOST, ipv6: 'fd00::1' })).toEqual([]);
    expect(refuseAway(facts({ sockets: [udpSocket({ local, remote })] }), HOST)).toEqual([]);
  });
});

describe('what the target must reach', () => {
  test('are the peers, where they will be, and addresses in place of those at which the program speaks to itself', () => {
    const neighbour = at('127.0.0.1', 3);
    const sockets = [connected({ local: A, remote: C }), connected({ local: at('127.0.0.1', 4), remote: neighbour }),
      connected({ local: at('127.0.0.1', 5), remote: at('127.0.0.1', 6) }),
      connected({ local: at('127.0.0.1', 6), remote: at('127.0.0.1', 5) })];
    expect(connections.needs!.of(facts({ sockets }), undefined, HOST)).toEqual({
      connections: [{ local: A, remote: C }, { local: at('127.0.0.1', 4), remote: at('10.0.0.1', 3) }],
      inside: ['127.0.0.1'],
    });
  });

  test('of connections of which both ends move, is an address', async () => {
    const from = ['10.255.255.1', 'fd00:dead::1'];
    expect(await judged(connections, { connections: [], inside: ['127.0.0.1', '::1'] }, from)).toEqual([]);
    const reasons = await judged(connections, { connections: [], inside: from }, from);
    const unreached = from.filter((address) => native.socketRouteSource(address) === null);
    expect(reasons).toEqual(
      unreached.map((address) => ({ code: 'E_NO_ROUTE', message: `the target has no address in place of ${address}` })),
    );
  });

  test("of which one stays, at an address that is this host's too, is refused", async () => {
    const [own] = ownAddresses();
    if (own === undefined) return;
    const wanted = { connections: [{ local: at(own, 1), remote: at(own, 2) }], inside: [] };
    expect(await judged(connections, wanted, [own])).toEqual([]); // the program comes from a file, to the host that it was on
    expect(await judged(connections, wanted, [own, '192.0.2.1'])).toEqual([{
      code: 'E_LOCAL_CONNECTION',
      message: expect.stringContaining(own) as string,
    }]);
    expect(await judged(connections, wanted, ['192.0.2.1'])).toEqual([]);
  });
});
