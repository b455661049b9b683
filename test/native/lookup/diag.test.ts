import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { type AddressInfo, connect as dial, createServer, type Server, type Socket } from 'node:net';
import { native } from '../../../src/native/index.js';
import type { Connection } from '../../../src/vocabulary/endpoint.js';
import { compile } from '../../support/compile';

const TCP_ESTABLISHED = 1;
const open: { server: Server; ends: Socket[] }[] = [];

/** A connection on the loopback; `listen` may be a wider address than `to`. */
async function connect(to: string, listen = to): Promise<{ client: Socket; server: Socket; port: number }> {
  const listener = createServer();
  listener.listen(0, listen);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = dial(port, to);
  await once(client, 'connect');
  const [server] = await accepted;
  open.push({ server: listener, ends: [client, server] });
  return { client, server, port };
}

afterEach(async () => {
  for (const { server, ends } of open.splice(0)) {
    for (const end of ends) end.destroy();
    server.close();
    await once(server, 'close');
  }
});

const connectionOf = (end: Socket): Connection => ({
  local: { address: end.localAddress!, port: end.localPort! },
  remote: { address: end.remoteAddress!, port: end.remotePort! },
});
const fdOf = (end: Socket): number => (end as unknown as { _handle: { fd: number } })._handle.fd;
const inodeOf = (end: Socket): number =>
  Number(/socket:\[(\d+)\]/.exec(readlinkSync(`/proc/self/fd/${fdOf(end)}`))![1]);

const pairs = [
  ['IPv4', '127.0.0.1', '127.0.0.1'],
  ['IPv6', '::1', '::1'],
  ['IPv4 to a socket of both families', '127.0.0.1', '::'],
] as const;

describe.each(pairs)('%s', (_name, to, listen) => {
  test('connectionInodes finds both ends, findOwners who has them', async () => {
    const { client, server } = await connect(to, listen);
    const ends = [client, server];
    expect(native.diagConnectionInodes(ends.map(connectionOf))).toEqual(ends.map(inodeOf));
    for (const end of ends) {
      const inode = inodeOf(end);
      expect(native.ownersFind([inode])).toEqual([{ inode, pid: process.pid, fd: fdOf(end) }]);
    }
  });

  test('tcpConnections lists both ends, and not the listener', async () => {
    const { client, server, port } = await connect(to, listen);
    const ours = native.diagTcpConnections().filter(({ connection: { local, remote } }) =>
      [local.port, remote.port].includes(port)
    );
    const wanted = [client, server].map((end) => {
      return {
        inode: inodeOf(end),
        state: TCP_ESTABLISHED,
        connection: connectionOf(end),
        unacknowledged: 0,
        hasKeys: false,
      };
    });
    const order = (list: typeof wanted) => list.sort((a, b) => a.inode - b.inode);
    expect(order(ours as typeof wanted)).toEqual(order(wanted));
  });
});

describe('diagConnectionInodes', () => {
  test('gives null where there is no connection, also where a listener would match', async () => {
    const { client, port } = await connect('127.0.0.1');
    const absent = { local: { address: '127.0.0.1', port }, remote: { address: '127.0.0.1', port: 1 } };
    const ofIpv6 = { local: { address: '::1', port: 1 }, remote: { address: '::1', port: 2 } };
    expect(native.diagConnectionInodes([absent, connectionOf(client), ofIpv6])).toEqual([null, inodeOf(client), null]);
  });

  test('throws at ends of two families', () => {
    const mixed = { local: { address: '::1', port: 1 }, remote: { address: '127.0.0.1', port: 2 } };
    expect(() => native.diagConnectionInodes([mixed])).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('ownersFind', () => {
  test('gives every descriptor of a socket, and nothing for unknown inodes', async () => {
    const { client } = await connect('127.0.0.1');
    const inode = inodeOf(client);
    const pidfd = native.processOpen(process.pid);
    const copy = native.processTakeFd(pidfd, fdOf(client));
    const fds = native.ownersFind([4_294_967_295, inode]).map((owner) => owner.fd);
    expect(fds.sort((a, b) => a - b)).toEqual([fdOf(client), copy].sort((a, b) => a - b));
    for (const fd of [copy, pidfd]) native.closeFd(fd);
    expect(native.ownersFind([])).toEqual([]);
  });

  test('passes over a process that ends while it is looked at', () => {
    const { path, remove } = compile(['test/native/programs/owners_ended.c', 'native/lookup/owners.c',
      'native/kernel/array.c'], [
      '-Wl,--wrap=fdopendir',
    ]);
    try {
      expect(() => execFileSync(path, { stdio: 'pipe' })).not.toThrow();
    } finally {
      remove();
    }
  });
});

describe('ownersLookAround', () => {
  test('tells who had a socket when it looked, as long as nothing about it has changed', async () => {
    const { client, server } = await connect('127.0.0.1');
    const [changed, same] = [inodeOf(client), inodeOf(server)];
    const pidfd = native.processOpen(process.pid);
    const copy = native.processTakeFd(pidfd, fdOf(client));
    const look = native.ownersLookAround();
    const copyOfSame = native.processTakeFd(pidfd, fdOf(server));
    expect(look.owners([same])).toEqual([{ inode: same, pid: process.pid, fd: fdOf(server) }]);
    expect(look.owners([changed]).map(({ fd }) => fd).sort((a, b) => a - b)).toEqual(
      [fdOf(client), copy].sort((a, b) => a - b),
    );
    native.closeFd(copy);
    expect(look.owners([changed])).toEqual([]);
    expect(look.pids([changed])).toEqual([process.pid]);
    expect(look.owners([changed, same, 4_294_967_295]).map(({ inode }) => inode)).toEqual([same]);
    for (const fd of [copyOfSame, pidfd]) native.closeFd(fd);
  });

  test('looks at these processes only', async () => {
    const { client } = await connect('127.0.0.1');
    expect(native.ownersLookAround([process.pid]).owners([inodeOf(client)])).toHaveLength(1);
    expect(native.ownersLookAround([1]).owners([inodeOf(client)])).toEqual([]);
    expect(native.ownersLookAround([]).owners([inodeOf(client)])).toEqual([]);
  });
});

test('many connections come in one list', async () => {
  const listener = createServer();
  listener.listen(0, '127.0.0.1', 512);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const server: Socket[] = [];
  listener.on('connection', (end) => server.push(end));
  const clients = Array.from({ length: 500 }, () => dial(port, '127.0.0.1'));
  open.push({ server: listener, ends: clients });
  await Promise.all(clients.map((client) => once(client, 'connect')));
  while (server.length < clients.length) await once(listener, 'connection');
  open.push({ server: createServer().listen(0), ends: server });
  const inodes = new Set(native.diagTcpConnections().map(({ inode }) => inode));
  for (const end of [...clients, ...server]) expect(inodes.has(inodeOf(end))).toBe(true);
});
