import { createSocket } from 'node:dgram';
import type { Frozen, Received } from '../../../src/kinds/kind';
import { udp } from '../../../src/kinds/udp/udp';
import { at, facts, HOST, judged, nobody, udpSocket } from '../../support/kinds/facts';

const [A, C] = [at('10.0.0.1', 4884), at('10.0.0.3', 50000)];

test("a UDP socket has a peer where it is connected to a socket that is not the program's", () => {
  const sockets = [udpSocket({ pfd: 3, local: A, remote: C }), udpSocket({ pfd: 4, local: A }),
    udpSocket({ pfd: 5, local: at('127.0.0.1', 1), remote: at('127.0.0.1', 2) }),
    udpSocket({ pfd: 6, local: A, remote: at('10.0.0.1', 4884) }),
    udpSocket({ pfd: 7, local: A, remote: at('239.1.2.3', 2) })];
  const placeOf = ({ pfd }: { pfd: number }) => ({ innerPid: 2, fd: pfd });
  const part = udp.leave!({ addresses: new Set(['10.0.0.1']) } as never);
  const moving = part.state!({ sockets, placeOf } as unknown as Frozen, {} as Received);
  expect((moving as { fd: number; hasPeer: boolean }[]).map(({ fd, hasPeer }) => [fd, hasPeer])).toEqual([[3, true], [4,
    false], [5, false], [6, false], [7, false]]);
});

test('CRIU makes those that are bound without a name', () => {
  const sockets = [udpSocket({ inode: 1 }), udpSocket({ inode: 2, local: nobody })];
  const part = udp.leave!({ addresses: new Set(['10.0.0.1']) } as never);
  expect(part.nameless!({ sockets } as unknown as Frozen)).toEqual([1]);
});

test('what the target must have for them', () => {
  const V6ONLY = { level: 41, name: 26, value: Buffer.from([1, 0, 0, 0]) };
  const sockets = [udpSocket({ family: 10, local: at('::'), options: [V6ONLY], interfaces: ['eth0'] })];
  expect(udp.needs!.of(facts({ sockets }), undefined, HOST)).toEqual({
    sockets: [{ family: 10, local: at('::'), remote: nobody, v6only: true, interfaces: ['eth0'] }],
    peers: [],
  });
});

describe('the target', () => {
  const wanted = { family: 2, local: nobody, remote: nobody, v6only: false, interfaces: [] as string[] };

  const judgedSockets = (sockets: (typeof wanted)[]) => judged(udp, { sockets, peers: [] });

  async function bound(use: (port: number) => Promise<void>): Promise<void> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ address: '127.0.0.1', port: 0 }, resolve));
    await use(socket.address().port).finally(() => new Promise<void>((resolve) => socket.close(resolve)));
  }

  test('takes a port that is free, twice', async () => {
    let free = 0;
    await bound((port) => Promise.resolve(void (free = port)));
    const local = at('127.0.0.1', free);
    expect(await judgedSockets([{ ...wanted, local }, { ...wanted, local }, wanted])).toEqual([]);
  });

  test('names a port that is taken', () =>
    bound(async (port) => {
      expect(await judgedSockets([{ ...wanted, local: at('127.0.0.1', port) }])).toEqual([{
        code: 'E_PORT',
        message: expect.stringContaining(`127.0.0.1:${port} there: EADDRINUSE`) as string,
      }]);
    }));

  test('names an interface that is missing, once', async () => {
    const reasons = await judgedSockets([{ ...wanted, interfaces: ['lo', 'none9'] }, {
      ...wanted,
      interfaces: ['none9'],
    }]);
    expect(reasons).toEqual([{ code: 'E_INTERFACE', message: expect.stringContaining('none9') as string }]);
  });
});
