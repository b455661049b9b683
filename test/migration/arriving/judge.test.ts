import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config';
import type { Facts } from '../../../src/kinds/kind';
import { needsOf, type WantedByKind } from '../../../src/kinds/look';
import { judgeArrival } from '../../../src/migration/arriving/judge';
import { cpuFlags } from '../../../src/program/facts';
import type { Reason } from '../../../src/vocabulary/refusal';
import { at, codesOf, connected, facts, HOST, udpSocket } from '../../support/kinds/facts';
import { modestArrival, modestNeeds } from '../../support/migration/arrivals';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-judge-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const here = loadConfig({ ...process.env, MIGRUN_CRIU: __filename });
const judge = (needs: WantedByKind, config = here) =>
  judgeArrival(modestArrival({ needs: modestNeeds(needs) }), config);

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a program that needs nothing may come', async () => {
  expect(await judge({})).toEqual([]);
});

test('one from this very host may come back', async () => {
  const path = join(folder, 'binary');
  writeFileSync(path, 'x'.repeat(7));
  const needs = {
    processes: {
      architecture: process.arch,
      cpuFlags: cpuFlags(),
      mapped: [{ path, size: 7 }],
      workingDirectories: [folder],
    },
    bound: [{ family: 2, listens: true, options: [], local: at('0.0.0.0', await freePort()) }],
    connections: { connections: [{ local: at('127.0.0.1', 1), remote: at('127.0.0.1', 2) }], inside: [] },
  };
  expect(await judge(needs)).toEqual([]);
});

/** Gives the reasons of a host that has no route at all. */
function judgedWithoutRoutes(change: Partial<Facts>): Reason[] {
  const arrival = modestArrival({ needs: needsOf(facts(change), HOST) });
  const script = `
    const [dist, config, arrival] = process.argv.slice(1);
    const { judgeArrival } = require(dist + '/migration/arriving/judge');
    judgeArrival(JSON.parse(arrival), JSON.parse(config)).then((reasons) => console.log(JSON.stringify(reasons)));`;
  const dist = join(__dirname, '..', '..', '..', 'dist');
  // It is a network namespace of its own.
  const said = execFileSync('unshare', ['--net', process.execPath, '-e', script, dist, JSON.stringify(here),
    JSON.stringify(arrival)], { encoding: 'utf8' });
  return JSON.parse(said) as Reason[];
}

describe('a peer to which no route leads is named, once', () => {
  const remote = at('10.9.8.7', 9);
  const named = [{ code: 'E_NO_ROUTE', message: expect.stringContaining('10.9.8.7') as string }];

  test('at the other end of TCP connections', () => {
    const sockets = [1, 2].map((port) => connected({ local: at('10.0.0.1', port), remote }));
    expect(judgedWithoutRoutes({ sockets })).toEqual(named);
  });

  test('where a connect in progress leads', () => {
    expect(judgedWithoutRoutes({ sockets: [connected({ state: 2, remote })] })).toEqual(named);
  });

  test('of UDP', () => {
    const sockets = [1, 2].map((port) => udpSocket({ local: at('10.0.0.1', port), remote }));
    expect(judgedWithoutRoutes({ sockets })).toEqual(named);
  });
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
  const processes = {
    architecture: process.arch,
    cpuFlags: ['warpdrive'],
    mapped: [{ path: join(folder, 'a'), size: 1 }],
    workingDirectories: [join(folder, 'b')],
  };
  expect(codesOf(await judge({ processes }, config))).toEqual(['E_NO_CRIU', 'E_CPU', 'E_FILE', 'E_FILE']);
});
