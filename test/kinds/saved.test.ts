import { countConnections, isConnectionSummary, movedPeers, practiceByKind, type SavedByKind, savedPeers,
  socketSummaries } from '../../src/kinds/saved';
import { at, HOST, nobody } from '../support/kinds/facts';

const [A, B, C] = [at('10.0.0.1', 4884), at('10.0.0.2', 4884), at('10.0.0.3', 50000)];

/** What a kind has for practice, one of it, with the saved socket changed so. */
function one(kind: string, saved: object, change: object = {}): object {
  const [practice] = practiceByKind()[kind] as { saved: object }[];
  return { ...practice!, saved: { ...practice!.saved, ...saved }, ...change };
}

const tcp = (change: object = {}, saved: object = {}) =>
  one('connections', { local: A, remote: C, rcvNxt: 17, ...saved }, change);
const waiting = (change: object = {}, saved: object = {}) =>
  one('accept-queues', { local: A, remote: C, rcvNxt: 18, ...saved }, change);
const udp = (change: object = {}, saved: object = {}) => one('udp', { local: A, remote: C, ...saved }, change);

/** The state of a program that has these. */
const program = (change: SavedByKind): SavedByKind => ({
  ...practiceByKind(),
  connections: [],
  udp: [],
  bound: { nameless: [], listening: [] },
  'accept-queues': [],
  ...change,
});

describe('peers', () => {
  const all = program({
    connections: [tcp(), tcp({ inside: true }, { local: at('127.0.0.1', 1), remote: at('127.0.0.1', 2) })],
    udp: [udp({ hasPeer: true }), udp({ hasPeer: false }, { remote: nobody })],
    'accept-queues': [waiting({}, { remote: at('10.0.0.3', 50001) }), waiting({ inside: true }),
      waiting({ alone: true })],
  });

  test('are of those whose other ends follow, TCP, then UDP, then those that wait to be accepted', () => {
    expect(savedPeers(all)).toEqual([
      { connection: { local: A, remote: C }, sndUna: 0, rcvNxt: 17 },
      { connection: { local: A, remote: C, udp: true }, sndUna: 0, rcvNxt: 0 },
      { connection: { local: A, remote: at('10.0.0.3', 50001) }, sndUna: 0, rcvNxt: 18 },
    ]);
  });

  test('are told of each as it was and as it will be, and what of their stream has arrived', () => {
    expect(movedPeers(savedPeers(all), [B, B, B], HOST)).toEqual([
      { connection: { local: A, remote: C }, to: { local: B, remote: C }, peerHas: 17 },
      { connection: { local: A, remote: C, udp: true }, to: { local: B, remote: C, udp: true }, peerHas: 0 },
      {
        connection: { local: A, remote: at('10.0.0.3', 50001) },
        to: { local: B, remote: at('10.0.0.3', 50001) },
        peerHas: 18,
      },
    ]);
  });

  test('whose other end was killed meanwhile are not told', () => {
    const told = movedPeers(savedPeers(all), [B, null, at('10.0.0.2', 1)], HOST);
    expect(told.map(({ to }) => to.local)).toEqual([B, at('10.0.0.2', 1)]);
  });

  test('at loopback are told of the address that they have from now on', () => {
    const [local, remote] = [at('127.0.0.1', 4884), at('127.0.0.1', 50000)];
    const neighbours = program({ connections: [tcp({}, { local, remote }), tcp({ inside: true }, { local, remote })] });
    expect(movedPeers(savedPeers(neighbours), [B], HOST)).toEqual([{
      connection: { local, remote },
      to: { local: B, remote: at('10.0.0.1', 50000) },
      peerHas: 17,
    }]);
  });
});

describe('sockets, for people', () => {
  const bytes = (length: number) => Buffer.alloc(length);
  const all = program({
    bound: { nameless: [], listening: [{ innerPid: 2, fd: 3, local: at('0.0.0.0', 4884) }] },
    connections: [tcp({ innerPid: 2, fd: 4 }, { state: 8, sendQueue: bytes(5), receiveQueue: bytes(7) })],
    udp: [udp({ innerPid: 2, fd: 5 }), udp({ innerPid: 2, fd: 6 }, { remote: nobody, datagrams: [] })],
    'accept-queues': [waiting({ innerPid: 2, fd: 3 })],
  });

  test('are those that listen, connections with their queues, UDP, and what waits to be accepted', () => {
    const queues = { sendQueue: 0, receiveQueue: 0, waiting: false };
    expect(socketSummaries(all)).toEqual([
      { innerPid: 2, fd: 3, state: 'LISTEN', local: at('0.0.0.0', 4884), remote: null, ...queues },
      { innerPid: 2, fd: 4, state: 'CLOSE_WAIT', local: A, remote: C, sendQueue: 5, receiveQueue: 7, waiting: false },
      { innerPid: 2, fd: 5, state: 'UDP', local: A, remote: C, ...queues, receiveQueue: 1 },
      { innerPid: 2, fd: 6, state: 'UDP', local: A, remote: null, ...queues },
      { innerPid: 2, fd: 3, state: 'ESTABLISHED', local: A, remote: C, sendQueue: 1, receiveQueue: 1, waiting: true },
    ]);
  });

  test('of which the TCP connections are counted', () => {
    expect(socketSummaries(all).map(isConnectionSummary)).toEqual([false, true, false, false, true]);
    expect(countConnections(all)).toBe(2);
  });
});
