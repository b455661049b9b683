/** UDP sockets of a program that moves, as it and those that it talks to see them. */
import type { Host } from '../support/host.js';
import { useLab } from '../support/lab.js';
import { SocketBox } from '../support/socket-box.js';

const lab = useLab();
let box: SocketBox;
let peer: SocketBox;

beforeAll(async () => {
  await lab.startAgents();
});

/** slot, level, name, value: of a socket of IPv4, one of IPv6, and one that is not bound. */
const OPTIONS: readonly (readonly [number, number, number, string])[] = [
  ...[12, 13, 14].flatMap((slot) => [
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
  ] as const),
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

/** Every command must be answered as said; "ok" with whatever follows. */
async function play(steps: readonly (readonly [SocketBox, string, (string | RegExp)?])[]): Promise<void> {
  for (const [who, command, expected = 'ok'] of steps) {
    const answer = await who.run(command);
    const isExpected = typeof expected === 'string' ? (expected === 'ok' ? /^ok\b/.test(answer) : answer === expected) : expected.test(answer);
    if (!isExpected) throw new Error(`${who === box ? 'program' : 'peer'}, ${command}: ${answer} instead of ${String(expected)}`);
  }
}

/** Datagrams that were sent are received a moment later: the last of them is waited for. */
const readable = (slot: number): string => `poll ${slot} i 20000`;

async function thereAndBack(check: (address: { v4: string; v6: string }) => Promise<void>): Promise<void> {
  await lab.hostA.migrate(box.id!, lab.hostB);
  await check({ v4: '10.77.0.2', v6: 'fd77::2' });
  await lab.hostB.migrate(box.id!, lab.hostA);
  await check({ v4: '10.77.0.1', v6: 'fd77::1' });
}

describe('unconnected', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
  });

  afterAll(() => Promise.all([box.end(), peer.end()]));

  test.each([
    ['any address', 1, '4', '0.0.0.0', 'v4'],
    ['any address of IPv6', 2, '6', '::', 'v6'],
    ['one address', 3, '4', '10.77.0.1', 'v4'],
    ['one address of IPv6', 4, '6', 'fd77::1', 'v6'],
  ] as const)('a server at %s answers at its new address', async (_name, slot, family, local, version) => {
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
    await thereAndBack(async (at) => {
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
    await thereAndBack(async () => {
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
    await thereAndBack(async (at) => {
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
    await thereAndBack(async () => {
      await play([
        [box, 'listenfor 30', 'ok first from [10.77.0.3]:6030'],
        [peer, 'sayto 30 239.7.7.7 6030 first'],
        [box, readable(30)],
      ]);
    });
  });
});

describe('connected', () => {
  describe.each([
    ['a peer that is wrapped', (host: Host) => SocketBox.wrapped(host)],
    ['a peer that is not', (host: Host) => Promise.resolve(SocketBox.plain(host))],
  ])('to %s', (_name, startPeer) => {
    beforeAll(async () => {
      box = await SocketBox.wrapped(lab.hostA);
      peer = await startPeer(lab.hostC);
    });

    afterAll(() => Promise.all([box.end(), peer.end()]));

    test.each([
      ['IPv4', 1, '4', '4', 'v4'],
      ['IPv6', 2, '6', '6', 'v6'],
      ['mapped addresses', 3, '6', '4', 'v4'],
      ['mapped addresses at the peer', 4, '4', '6', 'v4'],
    ] as const)('over %s both go on', async (_version, slot, family, peerFamily, version) => {
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
      await thereAndBack(async (at) => {
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
      await thereAndBack(async (at) => {
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
    await thereAndBack(async (at) => {
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

describe('stays, and is told why,', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostB);
  });

  afterAll(() => Promise.all([box.end(), peer.end()]));

  afterEach(async () => {
    await play([[box, 'close 1']]);
  });

  test.each([
    ['where a datagram is in the making', ['name 1 0.0.0.0 6001', 'set 1 17 1 01000000'], 'E_SOCKET_OPTION', /0\.0\.0\.0:6001 \(descriptor 3 of process 2\) has UDP_CORK/],
    ['where its timestamps are numbered', ['name 1 0.0.0.0 6001', 'set 1 1 37 98000000'], 'E_SOCKET_OPTION', /SOF_TIMESTAMPING_OPT_ID/],
    ['where the kernel uses the socket', ['name 1 0.0.0.0 6001', 'set 1 17 100 02000000'], 'E_SOCKET_OPTION', /UDP_ENCAP/],
    ['where the other end is a neighbour at loopback', ['connect 1 127.0.0.1 9'], 'E_LOCAL_CONNECTION', /127\.0\.0\.1:9 \(UDP\)/],
    ['where no agent answers on the host that it is connected to', ['connect 1 10.77.0.99 6001'], 'E_PEER', /10\.77\.0\.99:6001 \(UDP\) cannot follow: no migrun agent answers/],
    ['where its address is of no host', ['set 1 0 15 01000000', 'name 1 192.0.2.7 6001'], 'E_ADDRESS', /192\.0\.2\.7:6001/],
  ])('%s', async (_name, commands, code, text) => {
    await play([[box, 'udp 1 4'], ...commands.map((command) => [box, command] as const)]);
    const refusal = await lab.hostA.refusal(box.id!, 'hostB');
    expect(refusal).toMatchObject({ code, undone: ['preflight'] });
    expect(refusal.text).toMatch(text);
  });

  test('where its port is taken there', async () => {
    await play([
      [peer, 'udp 1 4'],
      [peer, 'name 1 0.0.0.0 6001'],
      [box, 'udp 1 4'],
      [box, 'name 1 10.77.0.1 6001'],
    ]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({ code: 'E_PORT', text: expect.stringContaining('10.77.0.2:6001'), undone: ['preflight'] });
  });

  test('where its network interface is not there', async () => {
    await lab.hostA.run(['sh', '-c', 'ip link add only-here type veth && ip addr add 10.99.0.1/24 dev only-here && ip link set only-here up']);
    await play([
      [box, 'udp 1 4'],
      [box, 'member 1 239.7.7.7 10.99.0.1'],
    ]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({ code: 'E_INTERFACE', text: expect.stringContaining('only-here'), undone: ['preflight'] });
    await lab.hostA.run(['ip', 'link', 'del', 'only-here']);
  });

  test('where the first part of a datagram is sent and not the rest', async () => {
    await play([
      [box, 'udp 1 4'],
      [box, 'connect 1 127.0.0.1 6002'],
      [box, 'udp 2 4'],
      [box, 'name 2 127.0.0.1 6002'],
      [box, 'begin 1 half'],
    ]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({ code: 'E_SOCKET_OPTION', text: expect.stringContaining('MSG_MORE') });
    await play([
      [box, 'say 1 whole'],
      [box, 'listenfor 2', /^ok halfwhole /],
      [box, 'close 2'],
    ]);
  });
});
