import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { type InbandSegment, native } from '../../../src/native/index.js';
import type { Connection } from '../../../src/vocabulary/endpoint.js';
import { compile } from '../../support/compile.js';
import { type Host, twoHosts } from '../../support/native/hosts.js';
import { until } from '../../support/until.js';

const numbersProgram = compile(['test/native/programs/tcp_numbers.c', 'native/kernel/process.c']);
const filterProgram = compile(['test/native/programs/inband_filter.c', 'native/inband/', 'native/socket/address.c',
  'native/socket/headers.c']);
let hosts: [Host, Host];

beforeAll(async () => {
  hosts = await twoHosts();
  for (const host of hosts) {
    await host.call('openInband', 4);
    await host.call('openInband', 6);
  }
});
beforeEach(() => {
  for (const host of hosts) host.segments.length = 0;
});
afterAll(async () => {
  for (const host of hosts) await host.remove();
  numbersProgram.remove();
  filterProgram.remove();
});

/** One end of a connection: where it is, and its numbers while it is idle. */
interface End extends Connection {
  readonly fd: number;
  readonly host: Host;
}

function numbers(end: End): { sndUna: number; sndNxt: number; rcvNxt: number; window: number } {
  const said = execFileSync(numbersProgram.path, [String(end.host.pid), String(end.fd)], { encoding: 'latin1' });
  const [sndUna, sndNxt, rcvNxt, window] = said.split(' ').map(Number) as [number, number, number, number];
  return { sndUna, sndNxt, rcvNxt, window };
}

async function connect(family: 4 | 6): Promise<[End, End]> {
  const [a, b] = hosts;
  const address = b.addresses[family === 4 ? 0 : 1]!;
  const port = await b.call<number>('listen', address);
  const client = await a.call<Omit<End, 'host'>>('connect', address, port);
  const server = await b.call<Omit<End, 'host'>>('accept');
  return [{ ...client, host: a }, { ...server, host: b }];
}

/** Bytes cross in both directions, so that windows and numbers are those of a connection in use. */
async function exchange(ends: readonly End[]): Promise<void> {
  const bytes = randomBytes(50_000);
  const hash = createHash('sha256').update(bytes).digest('hex');
  for (const end of ends) await end.host.call('write', bytes);
  for (const end of ends) expect(await end.host.call('digest', bytes.length)).toEqual({ received: bytes.length, hash });
}

function segmentFrom(end: End, option: Buffer, body: Buffer): InbandSegment {
  const { sndUna, rcvNxt } = numbers(end);
  const seq = (sndUna - 1 - body.length) >>> 0;
  return { source: end.local, destination: end.remote, seq, ack: rcvNxt, option, body };
}

describe.each([4, 6] as const)('in-band messages over IPv%i', (family) => {
  test('arrive as they were sent, and the connection does not notice', async () => {
    const ends = await connect(family);
    await exchange(ends);
    for (const [from, to] of [ends, [ends[1], ends[0]]] as [End, End][]) {
      const before = [numbers(from), numbers(to)] as const;
      for (const [option, body] of [[0, 0], [1, 0], [32, 0], [34, 1], [34, 1300], [0, 60_000]] as const) {
        const segment = segmentFrom(from, randomBytes(option), randomBytes(body));
        await from.host.call('send', family, segment);
        await until(() => to.host.segments.length > 0);
        expect(to.host.segments.splice(0)).toEqual([segment]);
      }
      expect(numbers(to)).toEqual(before[1]);
      // The other kernel answers with an ACK, which tells its true window.
      expect(numbers(from)).toEqual({ ...before[0], window: expect.any(Number) });
      expect(from.host.segments).toEqual([]);
    }
    for (const host of hosts) await host.call('end');
  });

  test('hundreds of them leave a stream at full speed whole', async () => {
    const [client, server] = await connect(family);
    const bytes = randomBytes(64 << 20);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const segments = [client, server].map((end) => segmentFrom(end, randomBytes(34), randomBytes(1000)));

    const written = [client, server].map((end) => end.host.call('write', bytes));
    for (let burst = 0; burst < 20; burst++) {
      await client.host.call('send', family, segments[0], 20);
      await server.host.call('send', family, segments[1], 20);
    }
    await Promise.all(written);
    for (const end of [client, server]) {
      expect(await end.host.call('digest', bytes.length)).toEqual({ received: bytes.length, hash });
    }
    await until(() => hosts.every((host) => host.segments.length === 400));
    expect(server.host.segments[399]).toEqual(segments[0]);
    expect(client.host.segments[399]).toEqual(segments[1]);
    for (const host of hosts) await host.call('end');
  });

  test('come from an address and port that no socket has', async () => {
    const [a, b] = hosts;
    const source = { address: family === 4 ? '10.78.1.11' : 'fd78:1::11', port: 1 };
    const destination = { address: b.addresses[family === 4 ? 0 : 1]!, port: 65535 };
    const segment = { source, destination, seq: 0xffffffff, ack: 0, option: Buffer.from('new'), body: Buffer.alloc(0) };
    await a.call('send', family, segment);
    await until(() => b.segments.length > 0);
    expect(b.segments).toEqual([segment]);
  });

  test('are not sent from an address that the host does not have', async () => {
    const [a, b] = hosts;
    const [source, destination] = [b, a].map((host) => ({ address: host.addresses[family === 4 ? 0 : 1]!, port: 1 }));
    const segment = { source, destination, seq: 1, ack: 1, option: Buffer.alloc(0), body: Buffer.alloc(0) };
    const code = family === 4 ? 'ENETUNREACH' : 'EINVAL';
    await expect(a.call('send', family, segment)).rejects.toMatchObject({ code, syscall: 'sendmsg' });
  });
});

describe('an in-band endpoint', () => {
  const plain = { address: '127.0.0.1', port: 1 };
  const empty = { seq: 0, ack: 0, option: Buffer.alloc(0), body: Buffer.alloc(0) };
  const failure = (code: string) => expect.objectContaining({ code, syscall: 'sendmsg' }) as Error;

  test('gets segments with our option first, and nothing else', () => {
    const { status, stdout } = spawnSync(filterProgram.path, { encoding: 'latin1' });
    expect(stdout.split('\n').filter((line) => line.startsWith('not ok'))).toEqual([]);
    expect(status).toBe(0);
  });

  test('refuses what cannot be a segment', () => {
    const endpoint = native.openInband(4, () => undefined);
    const mapped = { address: '::ffff:127.0.0.1', port: 1 };
    try {
      const long = { ...empty, source: plain, destination: plain, option: Buffer.alloc(35) };
      expect(() => endpoint.send(long)).toThrow(failure('EINVAL'));
      expect(() => endpoint.send({ ...long, option: Buffer.alloc(0), body: Buffer.alloc(65_500) })).toThrow(
        failure('EMSGSIZE'),
      );
      expect(() => endpoint.send({ ...empty, source: plain, destination: mapped })).toThrow(failure('EAFNOSUPPORT'));
      expect(() => endpoint.send({ ...empty, source: mapped, destination: mapped })).toThrow(failure('EAFNOSUPPORT'));
      const wild = { address: '127.0.0.1', port: 65_536 };
      expect(() => endpoint.send({ ...empty, source: wild, destination: plain })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
    } finally {
      endpoint.close();
    }
    expect(() => endpoint.send({ ...empty, source: plain, destination: plain })).toThrow(failure('EBADF'));
  });

  test('may be closed from its own callback', async () => {
    const segment = { ...empty, source: plain, destination: plain };
    const came = await new Promise<InbandSegment>((resolve) => {
      const endpoint = native.openInband(4, (got) => {
        endpoint.close();
        endpoint.close();
        resolve(got);
      });
      endpoint.send(segment);
      endpoint.send(segment);
    });
    expect(came).toEqual(segment);
  });
});

describe('routeSource', () => {
  test('is the address that packets to there come from', async () => {
    const [a, b] = hosts;
    for (const i of [0, 1]) expect(await a.call('routeSource', b.addresses[i])).toBe(a.addresses[i]);
    expect(await a.call('routeSource', '::ffff:10.78.1.2')).toBe('::ffff:10.78.1.1');
    expect(await a.call('routeSource', '127.0.0.1')).toBe('127.0.0.1');
  });

  test('is null where no route leads there', async () => {
    for (const address of ['192.0.2.1', '2001:db8::1']) expect(await hosts[0].call('routeSource', address)).toBeNull();
  });

  test('throws at what is no address', async () => {
    await expect(hosts[0].call('routeSource', 'somewhere')).rejects.toMatchObject({ code: 'EINVAL' });
  });
});
