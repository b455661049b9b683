import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { native } from '../../../src/native/index.js';
import { until } from '../../support/until';

const HOLD_MS = 7_200_000;
/** How long TCP usually goes on: tcp_retries2 = 15. */
const USUAL_MS = 924_600;

const opened: { destroy(): void }[] = [];
afterEach(() => opened.splice(0).forEach((one) => one.destroy()));

/** A connection to ourselves, and our descriptor of its first end. */
async function open(): Promise<{ client: Socket; peer: Socket; fd: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ port, host: '127.0.0.1' });
  await once(client, 'connect');
  const [peer] = await accepted;
  server.close();
  const held = native.socketCollect([process.pid]);
  const ours = held.find(({ local, remote }) => local.port === client.localPort && remote.port === port)!;
  for (const { fd } of held) if (fd !== ours.fd) native.closeFd(fd);
  opened.push(client, peer, { destroy: () => native.closeFd(ours.fd) });
  return { client, peer, fd: ours.fd };
}

test('the user timeout lasts for the lease and then as long as TCP waits by itself', async () => {
  const [usual, own] = [await open(), await open()];
  native.tcpSetUserTimeouts([own.fd], [5000]);
  const fds = [usual.fd, own.fd];
  const timeouts = native.tcpUserTimeouts(fds);
  expect(timeouts).toEqual([0, 5000]);
  native.tcpExtendUserTimeouts(fds, timeouts, HOLD_MS);
  expect(native.tcpUserTimeouts(fds)).toEqual([HOLD_MS + USUAL_MS, HOLD_MS + 5000]);
  native.tcpSetUserTimeouts(fds, timeouts);
  expect(native.tcpUserTimeouts(fds)).toEqual(timeouts);
});

test("an idle connection has keepalive's time besides", async () => {
  const { client, fd } = await open();
  client.setKeepAlive(true, 10_000); // and a probe each second, ten times (libuv)
  native.tcpExtendUserTimeouts([fd], [0], HOLD_MS);
  expect(native.tcpUserTimeouts([fd])).toEqual([HOLD_MS + USUAL_MS + 20_000]);
});

test('no time is longer than the kernel counts', async () => {
  const { fd } = await open();
  native.tcpExtendUserTimeouts([fd], [0x7fffffff], 0xffffffff);
  expect(native.tcpUserTimeouts([fd])[0]).toBeGreaterThan(0x7ffffff0); // the kernel rounds
});

test('a window that the other end has closed is opened, and only that', async () => {
  const { client, peer, fd } = await open();
  expect(native.tcpIsWindowShut(fd)).toBe(false);
  peer.pause();
  client.write(Buffer.alloc(16 << 20));
  await until(() => native.tcpIsWindowShut(fd));
  native.socketLock([fd], 0);
  native.tcpOpenWindows([fd]);
  expect(native.tcpIsWindowShut(fd)).toBe(false);
  native.socketUnlock([fd]);
});

test('a failure says which socket it was', async () => {
  const { fd } = await open();
  expect(() => native.tcpExtendUserTimeouts([fd, 9999], [0, 0], 1)).toThrow(
    expect.objectContaining({ code: 'EBADF', index: 1 }),
  );
  expect(() => native.tcpExtendUserTimeouts([fd], [], 1)).toThrow('one timeout for each socket');
});
