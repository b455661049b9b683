/** UDP sockets that are not connected, of a program that moves, as it and those that it talks to see them. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { play, readable, thereAndBack } from './udp-steps.js';

const lab = useLab();
let box: SocketBox;
let peer: SocketBox;

beforeAll(() => lab.startAgents());

/** slot, level, name, value: of a socket of IPv4, one of IPv6, and one that is not bound. */
const OPTIONS: readonly (readonly [number, number, number, string])[] = [
  ...[12, 13, 14].flatMap((slot) =>
    [
      [slot, 1, 6, '01000000'], // SO_BROADCAST
      [slot, 1, 8, '00900000'], // SO_RCVBUF
      [slot, 1, 12, '05000000'], // SO_PRIORITY
      [slot, 1, 35, '01000000'], // SO_TIMESTAMPNS
      [slot, 1, 40, '01000000'], // SO_RXQ_OVFL
      [slot, 1, 42, '03000000'], // SO_PEEK_OFF
      [slot, 1, 49, '01000000'], // SO_INCOMING_CPU
      [slot, 0, 10, '02000000'], // IP_MTU_DISCOVER
      [slot, 0, 11, '01000000'], // IP_RECVERR
      [slot, 0, 12, '01000000'], // IP_RECVTTL
      [slot, 0, 33, '09000000'], // IP_MULTICAST_TTL
      [slot, 0, 34, '00000000'], // IP_MULTICAST_LOOP
      [slot, 0, 49, '00000000'], // IP_MULTICAST_ALL
      [slot, 17, 103, 'e8030000'], // UDP_SEGMENT
      [slot, 17, 104, '01000000'], // UDP_GRO
    ] as const
  ),
  [12, 0, 1, '10000000'], // IP_TOS
  [12, 0, 2, '21000000'], // IP_TTL
  [13, 41, 16, '1f000000'], // IPV6_UNICAST_HOPS
  [13, 41, 67, '20000000'], // IPV6_TCLASS
  [13, 41, 51, '01000000'], // IPV6_RECVHOPLIMIT
  [13, 41, 18, '07000000'], // IPV6_MULTICAST_HOPS
  [13, 41, 62, '01000000'], // IPV6_DONTFRAG
  [13, 17, 101, '01000000'], // UDP_NO_CHECK6_TX
  [14, 41, 26, '01000000'], // IPV6_V6ONLY
];

describe('a UDP socket that is not connected', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
  });

  afterAll(() => Promise.all([box.end(), peer.end()]));

  test.each(
    [
      ['any address', 1, '4', '0.0.0.0', 'v4'],
      ['any address of IPv6', 2, '6', '::', 'v6'],
      ['one address', 3, '4', '10.77.0.1', 'v4'],
      ['one address of IPv6', 4, '6', 'fd77::1', 'v6'],
    ] as const,
  )('a server at %s answers at its new address', async (_name, slot, family, local, version) => {
    const port = 6000 + slot;
    const remote = version === 'v4' ? '10.77.0.3' : 'fd77::3';
    const old = version === 'v4' ? '10.77.0.1' : 'fd77::1';
    await play([
      [box, `udp ${slot} ${family}`],
      [box, `name ${slot} ${local} ${port}`],
      [peer, `udp ${slot} ${family}`],
      [peer, `name ${slot} ${remote} ${port}`],
    ]);
    await play([
      [peer, `sayto ${slot} ${old} ${port} first`],
      [peer, `sayto ${slot} ${old} ${port} second`],
      [peer, `sayto ${slot} ${old} ${port}`],
      [box, readable(slot)],
    ]);
    await thereAndBack(lab, box, async (at) => {
      await play([
        [box, `pick ${slot}`, `ok first from [${remote}]:${port}`],
        [box, `pick ${slot}`, `ok second from [${remote}]:${port}`],
        [box, `pick ${slot}`, `ok  from [${remote}]:${port}`],
        [box, `pick ${slot}`, 'error EAGAIN'],
        [peer, `sayto ${slot} ${at[version]} ${port} question`],
        [box, `listenfor ${slot}`, `ok question from [${remote}]:${port}`],
        [box, `sayto ${slot} ${remote} ${port} answer`],
        [peer, `listenfor ${slot}`, `ok answer from [${at[version]}]:${port}`],
        [peer, `sayto ${slot} ${at[version]} ${port} first`],
        [peer, `sayto ${slot} ${at[version]} ${port} second`],
        [peer, `sayto ${slot} ${at[version]} ${port}`],
        [box, readable(slot)],
      ]);
    });
  });

  test('who waits for a datagram goes on waiting', async () => {
    await play([
      [box, 'udp 10 4'],
      [box, 'name 10 0.0.0.0 6010'],
      [peer, 'udp 10 4'],
      [peer, 'name 10 10.77.0.3 6010'],
      [box, 'watch 11 10 i'],
    ]);
    const heard = box.run('& listenfor 10');
    await lab.hostA.migrate(box.id!, lab.hostB);
    await play([[peer, 'sayto 10 10.77.0.2 6010 one']]);
    expect(await heard).toBe('ok one from [10.77.0.3]:6010');
    await lab.hostB.migrate(box.id!, lab.hostA);
    const event = box.run('& event 11');
    await play([[peer, 'sayto 10 10.77.0.1 6010 two']]);
    expect(await event).toBe('ok 1');
    await play([[box, 'pick 10', 'ok two from [10.77.0.3]:6010']]);
  });

  test('every option stays as it was set', async () => {
    await play([
      [box, 'udp 12 4'],
      [box, 'name 12 0.0.0.0 6012'],
      [box, 'udp 13 6'],
      [box, 'name 13 :: 6013'],
      [box, 'udp 14 6'],
    ]);
    for (const [slot, level, name, value] of OPTIONS) await play([[box, `set ${slot} ${level} ${name} ${value}`]]);
    const before = await Promise.all([12, 13, 14].map((slot) => box.run(`options ${slot}`)));
    await thereAndBack(lab, box, async () => {
      expect(await Promise.all([12, 13, 14].map((slot) => box.run(`options ${slot}`)))).toEqual(before);
    });
  });

  test('both ends in the program', async () => {
    await play([
      [box, 'udp 20 4'],
      [box, 'name 20 127.0.0.1 6020'],
      [box, 'udp 21 4'],
      [box, 'connect 21 127.0.0.1 6020'],
      [box, 'say 21 before'],
      [box, 'udp 22 4'],
      [box, 'name 22 10.77.0.1 6022'],
      [box, 'udp 23 4'],
      [box, 'name 23 10.77.0.1 6023'],
      [box, 'connect 23 10.77.0.1 6022'],
      [box, 'connect 22 10.77.0.1 6023'],
      [box, 'say 23 before'],
    ]);
    const port = /local=\S+:(\d+)/.exec(await box.run('facts 21'))![1]!;
    await thereAndBack(lab, box, async (at) => {
      await play([
        [box, 'listenfor 20', `ok before from [127.0.0.1]:${port}`],
        [box, 'say 21 again'],
        [box, 'listenfor 20', `ok again from [127.0.0.1]:${port}`],
        [box, 'listenfor 22', `ok before from [${at.v4}]:6023`],
        [box, 'say 22 answer'],
        [box, 'listenfor 23', `ok answer from [${at.v4}]:6022`],
        [box, 'say 21 before'],
        [box, 'say 23 before'],
      ]);
    });
  });

  test('a multicast group is joined again', async () => {
    await play([
      [box, 'udp 30 4'],
      [box, 'name 30 239.7.7.7 6030'],
      [box, 'member 30 239.7.7.7 10.77.0.1'],
      [peer, 'udp 30 4'],
      [peer, 'name 30 10.77.0.3 6030'],
      [peer, 'sayto 30 239.7.7.7 6030 first'],
      [box, readable(30)],
    ]);
    await thereAndBack(lab, box, async () => {
      await play([
        [box, 'listenfor 30', 'ok first from [10.77.0.3]:6030'],
        [peer, 'sayto 30 239.7.7.7 6030 first'],
        [box, readable(30)],
      ]);
    });
  });
});
