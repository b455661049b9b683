import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config';
import { judgeArrival } from '../../src/migration/judge';
import { native } from '../../src/native';
import { cpuFlags, ownAddresses } from '../../src/program/facts';
import type { Arrival } from '../../src/protocol/control';
import { modestArrival } from '../support/migration/arrivals';
import { skip } from '../support/skip';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-judge-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const here = loadConfig({ ...process.env, MIGRUN_CRIU: __filename });
const judge = (change: Partial<Arrival>, config = here) => judgeArrival(modestArrival(change), config);

async function listening(host: string, use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  let free = 0;
  await listening('127.0.0.1', (port) => Promise.resolve(void (free = port)));
  return free;
}

test('a program that needs nothing may come', async () => {
  expect(await judge({})).toEqual([]);
});

test('one from this very host may come back', async () => {
  const path = join(folder, 'binary');
  writeFileSync(path, 'x'.repeat(7));
  const change: Partial<Arrival> = {
    cpuFlags: cpuFlags(),
    files: [{ path, size: 7 }],
    workingDirectories: [folder],
    bound: [{ ...LISTENING, local: { address: '0.0.0.0', port: await freePort() } }],
    connections: [{ local: { address: '127.0.0.1', port: 1 }, remote: { address: '127.0.0.1', port: 2 } }],
  };
  expect(await judge(change)).toEqual([]);
});

describe('UDP', () => {
  const udp = {
    family: 2,
    local: { address: '0.0.0.0', port: 0 },
    remote: { address: '0.0.0.0', port: 0 },
    v6only: false,
    interfaces: [] as string[],
  };

  async function bound(use: (port: number) => Promise<void>): Promise<void> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ address: '127.0.0.1', port: 0 }, resolve));
    await use(socket.address().port).finally(() => new Promise<void>((resolve) => socket.close(resolve)));
  }

  test('a port that is free, twice, may come', async () => {
    let free = 0;
    await bound((port) => Promise.resolve(void (free = port)));
    const local = { address: '127.0.0.1', port: free };
    expect(await judge({ udp: [{ ...udp, local }, { ...udp, local }, udp] })).toEqual([]);
  });

  test('a port that is taken is named', () =>
    bound(async (port) => {
      const reasons = await judge({ udp: [{ ...udp, local: { address: '127.0.0.1', port } }] });
      expect(reasons).toEqual([{
        code: 'E_PORT',
        message: expect.stringContaining(`127.0.0.1:${port} there: EADDRINUSE`) as string,
      }]);
    }));

  test('an interface that is missing is named, once', async () => {
    const reasons = await judge({ udp: [{ ...udp, interfaces: ['lo', 'none9'] }, { ...udp, interfaces: ['none9'] }] });
    expect(reasons).toEqual([{ code: 'E_INTERFACE', message: expect.stringContaining('none9') as string }]);
  });
});

describe('CPU', () => {
  test('one of another architecture does not do', async () => {
    expect(await judge({ architecture: 'ppc64' })).toEqual([{
      code: 'E_CPU',
      message: expect.stringContaining('ppc64') as string,
    }]);
  });

  test('what it lacks is named', async () => {
    const reasons = await judge({ cpuFlags: [...cpuFlags(), 'warpdrive'] });
    expect(reasons).toEqual([{ code: 'E_CPU', message: expect.stringMatching(/lacks warpdrive$/) as string }]);
  });

  test('there are flags to compare at all', () => {
    expect(cpuFlags().length).toBeGreaterThan(5);
  });
});

describe('files', () => {
  test('one that is missing is named', async () => {
    const path = join(folder, 'missing');
    expect(await judge({ files: [{ path, size: 7 }] })).toEqual([{ code: 'E_FILE', message: `${path} is not here` }]);
  });

  test('one of another size is another one', async () => {
    const path = join(folder, 'other');
    writeFileSync(path, 'x'.repeat(8));
    expect(await judge({ files: [{ path, size: 7 }] })).toEqual([{
      code: 'E_FILE',
      message: expect.stringContaining('8 bytes, not 7') as string,
    }]);
  });

  test('a working directory must be there, and be one', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const reasons = await judge({ workingDirectories: [folder, file, join(folder, 'nowhere')] });
    expect(reasons.map(({ code }) => code)).toEqual(['E_FILE', 'E_FILE']);
  });
});

const LISTENING = { family: 2, listens: true, options: [], waiting: 0 };

test('an accept queue is not longer than this host lets one be', async () => {
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')) + 1;
  const local = { address: '0.0.0.0', port: await freePort() };
  expect(await judge({ bound: [{ ...LISTENING, local, waiting: most }] })).toEqual([]);
  expect(await judge({ bound: [{ ...LISTENING, local, waiting: most + 1 }] })).toEqual([{
    code: 'E_ACCEPT_QUEUE',
    message: expect.stringContaining(`${most + 1} connections wait`) as string,
  }]);
});

describe('connections within the host that it leaves', () => {
  test('of which both ends move, need an address here', async () => {
    const addresses = ['10.255.255.1', 'fd00:dead::1'];
    expect(await judge({ addresses, inside: ['127.0.0.1', '::1'] })).toEqual([]);
    const reasons = await judge({ addresses, inside: addresses });
    const unreached = addresses.filter((address) => native.routeSource(address) === null);
    expect(reasons).toEqual(
      unreached.map((address) => ({ code: 'E_NO_ROUTE', message: `the target has no address in place of ${address}` })),
    );
  });

  test("of which one stays, at an address that is this host's too, are refused", async () => {
    const [own] = ownAddresses();
    if (own === undefined) skip('this host has no address but loopback ones');
    const connections = [{ local: { address: own, port: 1 }, remote: { address: own, port: 2 } }];
    expect(await judge({ addresses: [own], connections })).toEqual([]); // the program comes from a file, to the host that it was on
    expect(await judge({ addresses: [own, '192.0.2.1'], connections })).toEqual([{
      code: 'E_LOCAL_CONNECTION',
      message: expect.stringContaining(own) as string,
    }]);
    expect(await judge({ addresses: ['192.0.2.1'], connections })).toEqual([]);
  });
});

describe('ports', () => {
  test('one that is taken is refused, and one that is free is free again afterwards', async () => {
    await listening('0.0.0.0', async (port) => {
      const bound = [{ ...LISTENING, local: { address: '0.0.0.0', port } }];
      expect(await judge({ bound })).toEqual([{
        code: 'E_PORT',
        message: expect.stringContaining(`0.0.0.0:${port}`) as string,
      }]);
    });
    const bound = [{ ...LISTENING, local: { address: '0.0.0.0', port: await freePort() } }];
    expect(await judge({ bound })).toEqual([]);
    expect(await judge({ bound })).toEqual([]);
  });

  test('one that several sockets share is not in their own way', async () => {
    const listener = { ...LISTENING, local: { address: '0.0.0.0', port: await freePort() } };
    expect(await judge({ bound: [listener, listener] })).toEqual([]);
  });

  test('taken on one address is taken for all', async () => {
    await listening('127.0.0.1', async (port) => {
      const reasons = await judge({ bound: [{ ...LISTENING, local: { address: '0.0.0.0', port } }] });
      expect(reasons.map(({ code }) => code)).toEqual(['E_PORT']);
    });
  });
});

test('a peer to which no route leads is named, once', () => {
  const remote = { address: '10.9.8.7', port: 9 };
  const arrival = modestArrival({
    connections: [1, 2].map((port) => ({ local: { address: '10.0.0.1', port }, remote })),
  });
  const script = `
    const [dist, config, arrival] = process.argv.slice(1);
    const { judgeArrival } = require(dist + '/migration/judge');
    judgeArrival(JSON.parse(arrival), JSON.parse(config)).then((reasons) => console.log(JSON.stringify(reasons)));`;
  const dist = join(__dirname, '..', '..', 'dist');
  // In a network namespace of its own there is no route at all.
  const said = execFileSync('unshare', ['--net', process.execPath, '-e', script, dist, JSON.stringify(here),
    JSON.stringify(arrival)], { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual([{ code: 'E_NO_ROUTE', message: expect.stringContaining('10.9.8.7') as string }]);
});

test('a host without CRIU takes nothing', async () => {
  const config = loadConfig({ MIGRUN_CRIU: join(folder, 'criu') });
  expect(await judge({}, config)).toEqual([{
    code: 'E_NO_CRIU',
    message: expect.stringContaining(join(folder, 'criu')) as string,
  }]);
});

test('all that is missing is told at once', async () => {
  const config = loadConfig({ MIGRUN_CRIU: join(folder, 'criu') });
  const reasons = await judge({
    cpuFlags: ['warpdrive'],
    files: [{ path: join(folder, 'a'), size: 1 }],
    workingDirectories: [join(folder, 'b')],
  }, config);
  expect(reasons.map(({ code }) => code)).toEqual(['E_CPU', 'E_FILE', 'E_FILE', 'E_NO_CRIU']);
});

describe('descriptors', () => {
  const REGULAR = 0o100644;
  const wanted = (change: Partial<Arrival['descriptors']>): Partial<Arrival> => ({
    descriptors: { opened: [], locked: [], unixNames: [], unixPeers: [], ...change },
  });

  test('a file must be there, with its mode and its size, unless that does not count', async () => {
    const path = join(folder, 'opened');
    writeFileSync(path, 'x'.repeat(8));
    chmodSync(path, 0o644);
    const opened = { path, mode: REGULAR, size: 8, grows: false };
    const codes = async (change: Partial<typeof opened> | { size: null }): Promise<string[]> =>
      (await judge(wanted({ opened: [{ ...opened, ...change }] }))).map(({ code }) => code);
    expect([await codes({}), await codes({ size: null }), await codes({ size: 7, grows: true })]).toEqual([[], [], []]);
    expect([await codes({ path: `${path}.none` }), await codes({ mode: 0o100600 }), await codes({ size: 7 }),
      await codes({ size: 9, grows: true })]).toEqual([['E_FILE'], ['E_FILE'], ['E_FILE'], ['E_FILE']]);
  });

  test('a lock that somebody has', async () => {
    const path = join(folder, 'locked');
    writeFileSync(path, '');
    expect(await judge(wanted({ locked: [path] }))).toEqual([]);
    const holder = spawn('flock', [path, 'sh', '-c', 'echo ready; read end']);
    await once(holder.stdout, 'data');
    expect(await judge(wanted({ locked: [path] }))).toEqual([{
      code: 'E_FILE_LOCK',
      message: expect.stringContaining(path) as string,
    }]);
    holder.stdin.end();
    await once(holder, 'close');
  });

  test('names of UNIX sockets are free, or somebody has them', async () => {
    const server = createServer();
    const name = join(folder, 'socket');
    await new Promise<void>((resolve) => server.listen(name, resolve));
    const none = join(folder, 'nobody');
    const reasons = await judge(
      wanted({ unixNames: [name, none, join(folder, 'nowhere', 'socket')], unixPeers: [name, none] }),
    );
    expect(reasons.map(({ code }) => code)).toEqual(['E_UNIX_NAME', 'E_FILE', 'E_UNIX_NAME']);
    await new Promise((resolve) => server.close(resolve));
  });
});
