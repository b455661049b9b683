import { type AddressInfo, connect as tcpConnect, createServer, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { CHANNEL_PROTOCOL, connect, type Connected, type ConnectOptions, generateClusterKey, listen, type Listener,
  type ListenOptions } from '../../../src/protocol/channel';
import { presharedKey, TLS_OPTIONS } from '../../../src/protocol/channel/cluster-key';
import { connectError } from '../../../src/protocol/channel/connect';
import { encodeEnvelope, FrameReader, writeFrame } from '../../../src/protocol/channel/frames';
import { schema, type TestMessage } from '../../support/channel/streams';

const HOST = '127.0.0.1';
const key = generateClusterKey();

/** A listener that keeps what arrives. */
async function door(options: Partial<ListenOptions<TestMessage>> = {}) {
  const arrivals: ((arrived: Connected<TestMessage>) => void)[] = [];
  const refusals: string[] = [];
  const listener = await listen<TestMessage>({
    port: 0,
    host: HOST,
    key,
    identity: { version: '0.1.0', host: 'hostB' },
    schema,
    onChannel: (arrived) => arrivals.shift()?.(arrived),
    onRefused: (_address, reason) => refusals.push(reason),
    ...options,
  });
  const arrival = () => new Promise<Connected<TestMessage>>((resolve) => arrivals.push(resolve));
  return { listener, arrival, refusals };
}

function dial(port: number, options: Partial<ConnectOptions<TestMessage>> = {}) {
  return connect<TestMessage>({
    host: HOST,
    port,
    key,
    identity: { version: '0.1.0', host: 'hostA' },
    schema,
    ...options,
  });
}

/** A server that is not ours. */
async function foreign(onConnection: (socket: Socket) => void): Promise<{ port: number; close(): void }> {
  const server = createServer();
  server.on('connection', onConnection);
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

/** What a stranger gets to read before it is thrown out. */
function rawTalk(port: number, say: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = tcpConnect(port, HOST, () => socket.write(say));
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(pieces)));
  });
}

/** Longer than a stranger is given to show the key. */
const HANDSHAKE_AND_MORE_MS = 60_000;

/** From here to the end of a test, a timeout of ours passes when the test says so; the sockets are real. */
function fakeTimeouts(): void {
  jest.useFakeTimers({
    doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'performance', 'Date'],
  });
}

describe('connect and listen', () => {
  let listener: Listener | undefined;
  afterEach(() => {
    jest.useRealTimers();
    listener?.close();
    listener = undefined;
  });

  test('with the same key', async () => {
    const { listener: opened, arrival } = await door();
    listener = opened;
    const arriving = arrival();
    const { channel, hello, remoteAddress, localAddress } = await dial(opened.port);
    const arrived = await arriving;
    expect(hello).toMatchObject({ type: 'hello', protocol: CHANNEL_PROTOCOL, version: '0.1.0', host: 'hostB' });
    expect(arrived.hello.host).toBe('hostA');
    expect([remoteAddress, localAddress, arrived.remoteAddress]).toEqual([HOST, HOST, HOST]);

    const asked = channel.request({ type: 'ping', number: 1 });
    const request = await arrived.channel.receive();
    if (request?.kind !== 'message') throw new Error('no request');
    await request.reply({ type: 'pong', number: 1 });
    expect(await asked).toEqual({ type: 'pong', number: 1 });

    const sent = Buffer.alloc(3_000_000, 'x');
    const sending = channel.sendData(sent).then(() => channel.close());
    const data = await arrived.channel.receive();
    expect(data?.kind === 'data' && data.data.equals(sent)).toBe(true);
    expect(await arrived.channel.receive()).toBeNull();
    await sending;
  });

  test('channels that were handed out survive their listener, and the time for a handshake', async () => {
    fakeTimeouts();
    const { listener: opened, arrival } = await door();
    const arriving = arrival();
    const { channel } = await dial(opened.port);
    const arrived = await arriving;
    opened.close();
    jest.advanceTimersByTime(HANDSHAKE_AND_MORE_MS);
    await channel.send({ type: 'ping', number: 1 });
    expect(await arrived.channel.receive()).toMatchObject({ message: { number: 1 } });
    await channel.close();
  });

  test('another key is E_KEY, and gets nothing', async () => {
    const { listener: opened, refusals } = await door();
    listener = opened;
    await expect(dial(opened.port, { key: generateClusterKey() })).rejects.toMatchObject({
      code: 'E_KEY',
      message: `${HOST} has another cluster key`,
    });
    expect(refusals).toHaveLength(1);
  });

  test('the right name of a key without the key is E_KEY too', async () => {
    const { listener: opened } = await door();
    listener = opened;
    const error = await new Promise((resolve) => {
      const { identity } = presharedKey(key);
      const options = { ...TLS_OPTIONS, host: HOST, port: opened.port };
      tlsConnect({ ...options, pskCallback: () => ({ identity, psk: Buffer.alloc(32) }) }).on('error', resolve);
    });
    expect(connectError({ host: 'hostB', port: 1 }, error)).toMatchObject({ code: 'E_KEY' });
  });

  test('certificates and other suites are not offered', async () => {
    const { listener: opened } = await door();
    listener = opened;
    const attempt = (options: object) =>
      new Promise((resolve) => {
        const socket = tlsConnect({ host: HOST, port: opened.port, rejectUnauthorized: false, ...options });
        socket.on('error', () => resolve('refused')).on('secureConnect', () => resolve('let in'));
      });
    expect(await attempt({})).toBe('refused');
    expect(
      await attempt({ ciphers: 'PSK-AES256-GCM-SHA384', maxVersion: 'TLSv1.2', pskCallback: () => presharedKey(key) }),
    ).toBe('refused');
  });

  test('what does not speak TLS gets no banner', async () => {
    const { listener: opened, refusals } = await door({ handshakeTimeoutMs: 100 });
    listener = opened;
    expect(await rawTalk(opened.port, Buffer.alloc(0))).toHaveLength(0);
    const answer = await rawTalk(opened.port, Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    // At most a TLS alert.
    expect(answer.length).toBeLessThanOrEqual(7);
    expect(refusals.length).toBeGreaterThan(0);
  });

  test('strangers are limited in number, and make room in time', async () => {
    fakeTimeouts();
    const { listener: opened, refusals } = await door({ maxStrangers: 2 });
    listener = opened;
    const silent = [rawTalk(opened.port, Buffer.alloc(0)), rawTalk(opened.port, Buffer.alloc(0))];
    await rawTalk(opened.port, Buffer.alloc(0));
    expect(refusals).toContain('too many connections without the key');
    jest.advanceTimersByTime(HANDSHAKE_AND_MORE_MS);
    await Promise.all(silent);
    const { channel } = await dial(opened.port);
    await channel.close();
  });

  test('another protocol is E_VERSION on the side that asks', async () => {
    const { listener: opened, refusals } = await door();
    listener = opened;
    const socket = tlsConnect({
      ...TLS_OPTIONS,
      host: HOST,
      port: opened.port,
      pskCallback: () => presharedKey(key),
      checkServerIdentity: () => undefined,
    });
    const message = { type: 'hello', protocol: CHANNEL_PROTOCOL + 1, version: '9.0.0', host: 'hostN' };
    writeFrame(socket, { kind: 'message', payload: encodeEnvelope({ kind: 'plain', id: 0, message }) });
    // It still says who it is, so that the other side can tell.
    const reader = new FrameReader(socket);
    expect((await reader.next())?.kind).toBe('message');
    expect(await reader.next()).toBeNull();
    expect(refusals).toEqual([expect.stringContaining('hostN has another version of migrun')]);
  });

  test('a port that is taken is E_LISTEN', async () => {
    const { listener: opened } = await door();
    listener = opened;
    await expect(door({ port: opened.port })).rejects.toMatchObject({ code: 'E_LISTEN' });
  });
});

describe('connect says what is wrong', () => {
  test('nothing listens: E_NO_AGENT', async () => {
    const { port, close } = await foreign(() => undefined);
    close();
    await expect(dial(port)).rejects.toMatchObject({
      code: 'E_NO_AGENT',
      hint: expect.stringContaining('migrun agent'),
    });
  });

  test('something else listens: E_NO_AGENT', async () => {
    const { port, close } = await foreign((socket) =>
      socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n')
    );
    await expect(dial(port)).rejects.toMatchObject({ code: 'E_NO_AGENT' });
    close();
  });

  test('it closes at once: E_TARGET_UNREACHABLE', async () => {
    const { port, close } = await foreign((socket) => socket.destroy());
    await expect(dial(port)).rejects.toMatchObject({ code: 'E_TARGET_UNREACHABLE' });
    close();
  });

  test('it never answers: E_TARGET_UNREACHABLE', async () => {
    const { port, close } = await foreign((socket) => socket.on('error', () => undefined).resume());
    await expect(dial(port, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'E_TARGET_UNREACHABLE',
      message: expect.stringContaining('50 ms'),
    });
    close();
  });

  test('its name does not resolve: E_TARGET_UNKNOWN', () => {
    const error = connectError(
      { host: 'hostX', port: 4 },
      Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' }),
    );
    expect(error).toMatchObject({ code: 'E_TARGET_UNKNOWN', message: 'unknown host: hostX' });
  });

  test.each(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EACCES'])('%s is E_TARGET_UNREACHABLE', (code) => {
    const error = connectError({ host: 'hostB', port: 4 }, Object.assign(new Error(code), { code }));
    expect(error.code).toBe('E_TARGET_UNREACHABLE');
  });
});
