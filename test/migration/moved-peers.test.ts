import { connectionsOf, movedPeers, peersOf, udpWithPeers } from '../../src/migration/moved-peers';
import { type MovingState, practiceState } from '../../src/migration/state';

const ADDRESSES = ['10.0.0.1'];
const at = (address: string, port: number) => ({ address, port });
const [A, B, C] = [at('10.0.0.1', 4884), at('10.0.0.2', 4884), at('10.0.0.3', 50000)];
const nobody = at('0.0.0.0', 0);

function udpSocket(fd: number, local: typeof A, remote: typeof A): MovingState['udp'][number] {
  return { innerPid: 2, fd, saved: { ...practiceState().udp[0]!.saved, family: 2, local, remote } };
}

function tcpConnection(): MovingState['connections'][number] {
  const [connection] = practiceState().connections;
  return { ...connection!, saved: { ...connection!.saved, local: A, remote: C, rcvNxt: 17 } };
}

const udp = [
  udpSocket(3, A, C),
  udpSocket(4, A, nobody),
  udpSocket(5, at('127.0.0.1', 1), at('127.0.0.1', 2)),
  udpSocket(6, A, at('10.0.0.1', 4884)),
  udpSocket(7, A, at('239.1.2.3', 2)),
];
const host = { ipv4: '10.0.0.1', ipv6: null };
const state = { connections: [tcpConnection()], udp, addresses: ADDRESSES, host };

test("a UDP socket has a peer where it is connected to a socket that is not the program's", () => {
  expect(udpWithPeers(state).map(({ fd }) => fd)).toEqual([3]);
});

test('they are told of TCP and of UDP, each as it was and as it will be', () => {
  expect(movedPeers(state, [B, B])).toEqual([
    { connection: { local: A, remote: C }, to: { local: B, remote: C }, peerHas: 17 },
    { connection: { local: A, remote: C, udp: true }, to: { local: B, remote: C, udp: true }, peerHas: 0 },
  ]);
});

test('those of a program on its way', () => {
  expect(peersOf(state)).toEqual([{ local: A, remote: C }, { local: A, remote: C, udp: true }]);
});

test('the sockets of a running program have the same peers', () => {
  const ruled = (type: number, protocol: number, tcpState: number, local = A, remote = C) => ({
    inode: 1,
    pid: 502,
    pfd: 5,
    type,
    protocol,
    state: tcpState,
    local,
    remote,
    backlog: 0,
    obstacles: [],
  });
  const sockets = [ruled(2, 17, 0), ruled(1, 6, 1), ruled(1, 6, 10, A, nobody),
    ...udp.slice(1).map(({ saved }) => ruled(2, 17, 0, saved.local, saved.remote))];
  expect(connectionsOf(sockets, [], ADDRESSES)).toEqual([{ local: A, remote: C }, { local: A, remote: C, udp: true }]);
});

test('a connection between two sockets of the program has no peer, one with a neighbour at loopback has', () => {
  const connected = (local: typeof A, remote: typeof A) => ({
    inode: 1,
    pid: 502,
    pfd: 5,
    type: 1,
    protocol: 6,
    state: 1,
    local,
    remote,
    backlog: 0,
    obstacles: [],
  });
  const [one, other, third] = [at('127.0.0.1', 1), at('::ffff:127.0.0.1', 2), at('127.0.0.1', 3)];
  const sockets = [connected(one, at('127.0.0.1', 2)), connected(other, at('::ffff:127.0.0.1', 1)),
    connected(third, one)];
  expect(connectionsOf(sockets, [], ADDRESSES)).toEqual([{ local: third, remote: one }]);
  expect(connectionsOf(sockets, [{ local: one, remote: third }], ADDRESSES)).toEqual([]);
});

test('a neighbour at loopback is told of the address that it has from now on', () => {
  const [local, remote] = [at('127.0.0.1', 4884), at('127.0.0.1', 50000)];
  const [connection] = state.connections;
  const neighbour = { ...connection!, saved: { ...connection!.saved, local, remote } };
  const moved = movedPeers({ ...state, udp: [], connections: [neighbour, { ...neighbour, inside: true }] }, [B, local]);
  expect(moved).toEqual([{
    connection: { local, remote },
    to: { local: B, remote: at('10.0.0.1', 50000) },
    peerHas: 17,
  }]);
});
