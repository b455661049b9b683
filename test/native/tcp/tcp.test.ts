import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { native, type ProgramSocket, type SavedSocket } from '../../../src/native/index.js';
import type { Connection } from '../../../src/vocabulary/endpoint.js';

// Both ends are this process's own sockets: between two native calls nothing of it runs.

interface Pair {
  readonly sockets: [Socket, Socket];
  readonly held: [ProgramSocket, ProgramSocket];
}

const opened: { destroy(): void }[] = [];

async function open(host: string): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true }).listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ port, host, allowHalfOpen: true });
  await once(client, 'connect');
  const [peer] = await accepted;
  server.close();
  opened.push(client, peer);
  const all = native.socketCollect([process.pid]);
  const ours = (socket: Socket, wanted: (held: ProgramSocket) => boolean) => {
    const found = all.find((held) => held.remote.port !== 0 && wanted(held));
    if (!found) throw new Error(`no socket ${socket.localPort}`);
    return found;
  };
  const held: Pair['held'] = [
    ours(client, ({ local, remote }) => local.port === client.localPort && remote.port === port),
    ours(peer, ({ local, remote }) => remote.port === client.localPort && local.port === port),
  ];
  for (const { fd } of all) if (!held.some((kept) => kept.fd === fd)) native.closeFd(fd);
  opened.push({ destroy: () => held.forEach(({ fd }) => native.closeFd(fd)) });
  return { sockets: [client, peer], held };
}

const connection = ({ local, remote }: ProgramSocket): Connection => ({ local, remote });
const fds = (pair: Pair) => pair.held.map(({ fd }) => fd);

function requests(pair: Pair, [a, b]: SavedSocket[], hosts: [string, string]) {
  const ends = [
    { address: hosts[0], port: a!.local.port },
    { address: hosts[1], port: b!.local.port },
  ] as const;
  return [
    { fd: pair.held[0].fd, saved: a!, local: ends[0], remote: ends[1], peerHas: b!.rcvNxt },
    { fd: pair.held[1].fd, saved: b!, local: ends[1], remote: ends[0], peerHas: a!.rcvNxt },
  ];
}

async function hashOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(socket, 'end');
  return hash.digest('hex');
}

afterEach(() => opened.splice(0).forEach((one) => one.destroy()));

describe.each([
  ['IPv4', '127.0.0.1', ['127.0.0.2', '127.0.0.3']],
  ['IPv4 in IPv6', '::ffff:127.0.0.1', ['::ffff:127.0.0.2', '::ffff:127.0.0.3']],
  ['IPv6, the addresses stay', '::1', ['::1', '::1']],
] as [string, string, [string, string]][])('%s', (_, host, moved) => {
  test('a rebound connection delivers every byte of both directions', async () => {
    const pair = await open(host);
    const data = Buffer.alloc(8 << 20, 'every byte once. ');
    const wanted = createHash('sha256').update(data).digest('hex');
    for (const socket of pair.sockets) socket.end(data);
    native.socketLock(fds(pair), 0);
    const saved = native.tcpSave(fds(pair));
    expect(saved[0]!.sendQueue.length).toBeGreaterThan(0);
    native.tcpRevive(requests(pair, saved, moved), false);
    expect(native.socketDescribe(pair.held[0].fd)).toMatchObject({
      inode: pair.held[0].inode,
      local: { address: moved[0], port: pair.held[0].local.port },
      remote: { address: moved[1], port: pair.held[1].local.port },
    });
    expect(await Promise.all(pair.sockets.map(hashOf))).toEqual([wanted, wanted]);
  });
});

describe('sockets', () => {
  test('collected and described alike', async () => {
    const pair = await open('127.0.0.1');
    for (const held of pair.held) {
      expect(held).toMatchObject({ pid: process.pid, family: 2, type: 1, protocol: 6, state: 1, backlog: 0 });
      expect(native.socketDescribe(held.fd)).toEqual({ ...held, pid: -1, pfd: -1 });
    }
  });

  test('saved numbers fit together and are the live ones', async () => {
    const pair = await open('127.0.0.1');
    native.socketLock(fds(pair), 1000);
    const [a, b] = native.tcpSave(fds(pair));
    expect(a!.sndUna).toBe(b!.rcvNxt);
    expect(a).toMatchObject({ finSent: false, finReceived: false, local: pair.held[0].local });
    expect(native.tcpSequences(connection(pair.held[0]))).toEqual({
      sndNxt: a!.sndUna,
      sndUna: a!.sndUna,
      rcvNxt: a!.rcvNxt,
      state: 1,
    });
    native.tcpUnsave(fds(pair));
    native.socketUnlock(fds(pair));
  });

  test('no such connection has no sequence numbers', () => {
    const nowhere = { address: '127.0.0.1', port: 1 };
    expect(native.tcpSequences({ local: nowhere, remote: nowhere })).toBeNull();
  });

  test('revive that stays locked, then release', async () => {
    const pair = await open('127.0.0.1');
    pair.sockets[0].write('held');
    native.socketLock(fds(pair), 0);
    const saved = native.tcpSave(fds(pair));
    native.tcpRevive(requests(pair, saved, ['127.0.0.2', '127.0.0.3']), true);
    native.tcpRelease(fds(pair));
    const [chunk] = (await once(pair.sockets[1], 'data')) as [Buffer];
    expect(chunk.toString()).toBe('held');
  });

  test('closed silently: our descriptor is gone, the socket is not', async () => {
    const pair = await open('127.0.0.1');
    const copy = native.processTakeFd(native.processOpen(process.pid), pair.held[0].fd);
    native.tcpCloseSilently([copy]);
    expect(() => native.socketDescribe(copy)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(native.tcpSequences(connection(pair.held[0]))).not.toBeNull();
  });
});

test('a process that has ended has no sockets', () => {
  expect(native.socketCollect([2 ** 30])).toEqual([]);
});

describe('errors', () => {
  test.each<[string, string, (pair: Pair) => unknown]>([
    ['save without a lock', 'EINVAL', (pair) => native.tcpSave(fds(pair))],
    ['describing what is no socket', 'ENOTSOCK', () => native.socketDescribe(native.processOpen(process.pid))],
    ['locking a descriptor that is not open', 'EBADF', () => native.socketLock([100_000], 0)],
    [
      "a peer's number that is not in the send queue",
      'EINVAL',
      (pair) => {
        native.socketLock(fds(pair), 1000);
        const saved = native.tcpSave(fds(pair));
        try {
          const [first] = requests(pair, saved, ['127.0.0.1', '127.0.0.1']);
          native.tcpRevive([{ ...first!, peerHas: first!.peerHas + 1 }], false);
        } finally {
          native.tcpUnsave(fds(pair));
          native.socketUnlock(fds(pair));
        }
      },
    ],
  ])('%s', async (_, code, act) => {
    const pair = await open('127.0.0.1');
    expect(() => act(pair)).toThrow(expect.objectContaining({ code, syscall: expect.any(String) as string }));
  });
});
