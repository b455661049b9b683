import { type AddressInfo, createServer } from 'node:net';
import type { Frozen } from '../../../src/kinds/kind';
import { bound } from '../../../src/kinds/tcp/bound';
import { at, codesOf, connected, facts, HOST, judged, listening, refused } from '../../support/kinds/facts';

const LISTENING = { family: 2, listens: true, options: [] };

async function withListener(host: string, use: (port: number) => Promise<void>): Promise<void> {
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
  await withListener('127.0.0.1', (port) => Promise.resolve(void (free = port)));
  return free;
}

test.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1', '::1', 'fd00::1'])('listening on %s moves', (address) => {
  expect(refused([], [listening({ local: at(address, 80) })])).toEqual([]);
});

test('listening on a link-local address does not', () => {
  expect(refused([], [listening({ local: at('fe80::1', 80) })])).toEqual(['E_ADDRESS']);
});

const closed = (address: string, port: number, ended = false) =>
  connected({ state: 7, local: at(address, port), remote: at('0.0.0.0', 0), ended });

test('the target must have what listens or may yet, each once', () => {
  const sockets = [listening(), listening(), closed('10.0.0.1', 0), closed('0.0.0.0', 80), closed('0.0.0.0', 0),
    closed('0.0.0.0', 81, true), connected()];
  expect(bound.needs!.of(facts({ sockets }), undefined, HOST)).toEqual([
    { ...LISTENING, local: at('0.0.0.0', 4884) },
    { ...LISTENING, local: at('10.0.0.1', 0), listens: false },
    { ...LISTENING, local: at('0.0.0.0', 80), listens: false },
  ]);
});

test('CRIU makes those without a name that it could not bind again', () => {
  const sockets = [listening(), listening({ local: at('127.0.0.1', 80) }), listening({ local: at('10.0.0.1', 80) }),
    closed('127.0.0.1', 0), closed('10.0.0.1', 81), closed('0.0.0.0', 82), connected()];
  const numbered = sockets.map((socket, inode) => ({ ...socket, inode }));
  expect(bound.leave!({} as never).nameless!({ sockets: numbered } as unknown as Frozen)).toEqual([2, 3, 4]);
});

test('a port that is taken is refused, and one that is free is free again afterwards', async () => {
  await withListener('0.0.0.0', async (port) => {
    expect(await judged(bound, [{ ...LISTENING, local: at('0.0.0.0', port) }])).toEqual([{
      code: 'E_PORT',
      message: expect.stringContaining(`0.0.0.0:${port}`) as string,
    }]);
  });
  const wanted = [{ ...LISTENING, local: at('0.0.0.0', await freePort()) }];
  expect(await judged(bound, wanted)).toEqual([]);
  expect(await judged(bound, wanted)).toEqual([]);
});

test('a port that several sockets share is not in their own way', async () => {
  const listener = { ...LISTENING, local: at('0.0.0.0', await freePort()) };
  expect(await judged(bound, [listener, listener])).toEqual([]);
});

test('a port that is taken on one address is taken for all', async () => {
  await withListener('127.0.0.1', async (port) => {
    expect(codesOf(await judged(bound, [{ ...LISTENING, local: at('0.0.0.0', port) }]))).toEqual(['E_PORT']);
  });
});
