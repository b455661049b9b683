/** Connected UDP sockets of a program that moves, and of those that it talks to, who follow. */
import type { Host } from '../../support/e2e/host.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { play, readable, thereAndBack } from './udp-steps.js';

const lab = useLab();
let box: SocketBox;
let peer: SocketBox;

beforeAll(() => lab.startAgents());

describe('a connected UDP socket', () => {
  describe.each([
    ['a peer that is wrapped', (host: Host) => SocketBox.wrapped(host)],
    ['a peer that is not', (host: Host) => Promise.resolve(SocketBox.plain(host))],
  ])('to %s', (_name, startPeer) => {
    beforeAll(async () => {
      box = await SocketBox.wrapped(lab.hostA);
      peer = await startPeer(lab.hostC);
    });

    afterAll(() => Promise.all([box.end(), peer.end()]));

    test.each(
      [
        ['IPv4', 1, '4', '4', 'v4'],
        ['IPv6', 2, '6', '6', 'v6'],
        ['mapped addresses', 3, '6', '4', 'v4'],
        ['mapped addresses at the peer', 4, '4', '6', 'v4'],
      ] as const,
    )('over %s both go on', async (_version, slot, family, peerFamily, version) => {
      const [own, there] = version === 'v4' ? ['10.77.0.1', '10.77.0.3'] : ['fd77::1', 'fd77::3'];
      const seen = (address: string, of: string) => (of === '6' && version === 'v4' ? `::ffff:${address}` : address);
      const [port, peerPort] = [6100 + slot, 6200 + slot];
      await play([
        [box, `udp ${slot} ${family}`],
        [box, `name ${slot} ${family === '6' ? '::' : '0.0.0.0'} ${port}`],
        [peer, `udp ${slot} ${peerFamily}`],
        [peer, `name ${slot} ${peerFamily === '6' ? '::' : '0.0.0.0'} ${peerPort}`],
        [box, `connect ${slot} ${there} ${peerPort}`],
        [peer, `connect ${slot} ${own} ${port}`],
        [peer, `say ${slot} waiting`],
        [box, readable(slot)],
        [box, `say ${slot} before`],
        [peer, readable(slot)],
      ]);
      let old = own;
      await thereAndBack(lab, box, async (at) => {
        await play([
          [box, `pick ${slot}`, `ok waiting from [${seen(there, family)}]:${peerPort}`],
          [peer, `pick ${slot}`, `ok before from [${seen(old, peerFamily)}]:${port}`],
          [peer, `say ${slot} question`],
          [box, `listenfor ${slot}`, `ok question from [${seen(there, family)}]:${peerPort}`],
          [box, `say ${slot} answer`],
          [peer, `listenfor ${slot}`, `ok answer from [${seen(at[version], peerFamily)}]:${port}`],
          [peer, `error ${slot}`, 'ok none'],
          [box, `error ${slot}`, 'ok none'],
          [peer, `say ${slot} waiting`],
          [box, readable(slot)],
          [box, `say ${slot} before`],
          [peer, readable(slot)],
        ]);
        old = at[version];
      });
    });

    test('a reader at the peer that blocks goes on', async () => {
      await play([
        [box, 'udp 10 4'],
        [box, 'name 10 0.0.0.0 6110'],
        [peer, 'udp 10 4'],
        [peer, 'connect 10 10.77.0.1 6110'],
        [peer, 'say 10 hello'],
        [box, 'listenfor 10'],
      ]);
      const port = /local=\S+:(\d+)/.exec(await peer.run('facts 10'))![1]!;
      await play([[box, `connect 10 10.77.0.3 ${port}`]]);
      const heard = peer.run('& listenfor 10');
      await lab.hostA.migrate(box.id!, lab.hostB);
      await play([[box, 'say 10 answer']]);
      expect(await heard).toBe('ok answer from [10.77.0.2]:6110');
      await lab.hostB.migrate(box.id!, lab.hostA);
    });

    test('the peer keeps the flow label that it has connected with', async () => {
      await play([
        [box, 'udp 12 6'],
        [box, 'name 12 :: 6112'],
        [peer, 'udp 12 6'],
        [peer, 'name 12 :: 6212'],
        [peer, 'set 12 41 33 01000000'], // IPV6_FLOWINFO_SEND
        [box, 'connect 12 fd77::3 6212'],
        [peer, 'connect 12 fd77::1 6112 74565'],
      ]);
      await thereAndBack(lab, box, async (at) => {
        await play([
          [box, 'say 12 answer'],
          [peer, 'listenfor 12', `ok answer from [${at.v6}]:6112`],
          [peer, 'label 12', 'ok 74565'],
        ]);
      });
      await play([[box, 'close 12'], [peer, 'close 12']]);
    });

    test('onto the host of the peer, and away again', async () => {
      await play([
        [box, 'udp 11 4'],
        [box, 'name 11 0.0.0.0 6111'],
        [peer, 'udp 11 4'],
        [peer, 'name 11 0.0.0.0 6211'],
        [box, 'connect 11 10.77.0.3 6211'],
        [peer, 'connect 11 10.77.0.1 6111'],
      ]);
      await lab.hostA.migrate(box.id!, lab.hostC);
      await play([
        [peer, 'say 11 question'],
        [box, 'listenfor 11', 'ok question from [10.77.0.3]:6211'],
        [box, 'say 11 answer'],
        [peer, 'listenfor 11', 'ok answer from [10.77.0.3]:6111'],
      ]);
      await lab.hostC.migrate(box.id!, lab.hostA);
      await play([
        [peer, 'say 11 question'],
        [box, 'listenfor 11', 'ok question from [10.77.0.3]:6211'],
        [box, 'say 11 answer'],
        [peer, 'listenfor 11', 'ok answer from [10.77.0.1]:6111'],
      ]);
    });
  });

  test('to a server that is not: it answers to where it is asked from', async () => {
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
    await play([
      [peer, 'udp 1 4'],
      [peer, 'name 1 0.0.0.0 6301'],
      [box, 'udp 1 4'],
      [box, 'connect 1 10.77.0.3 6301'],
    ]);
    const port = /local=\S+:(\d+)/.exec(await box.run('facts 1'))![1]!;
    await thereAndBack(lab, box, async (at) => {
      await play([
        [box, 'say 1 question'],
        [peer, 'listenfor 1', `ok question from [${at.v4}]:${port}`],
        [peer, `sayto 1 ${at.v4} ${port} answer`],
        [box, 'listenfor 1', 'ok answer from [10.77.0.3]:6301'],
      ]);
    });
    await Promise.all([box.end(), peer.end()]);
  });
});
