/** UDP sockets with which a program does not move. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { play } from './udp-steps.js';

const lab = useLab();
let box: SocketBox;
let peer: SocketBox;

beforeAll(() => lab.startAgents());

describe('a program with a UDP socket stays, and is told why,', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostB);
  });

  afterAll(() => Promise.all([box.end(), peer.end()]));

  afterEach(async () => {
    await play([[box, 'close 1']]);
  });

  test.each([
    ['where a datagram is in the making', ['name 1 0.0.0.0 6001', 'set 1 17 1 01000000'], 'E_SOCKET_OPTION',
      /0\.0\.0\.0:6001 \(descriptor 3 of process 2\) has UDP_CORK/],
    ['where its timestamps are numbered', ['name 1 0.0.0.0 6001', 'set 1 1 37 98000000'], 'E_SOCKET_OPTION',
      /SOF_TIMESTAMPING_OPT_ID/],
    ['where the kernel uses the socket', ['name 1 0.0.0.0 6001', 'set 1 17 100 02000000'], 'E_SOCKET_OPTION',
      /UDP_ENCAP/],
    ['where the other end is a neighbour at loopback', ['connect 1 127.0.0.1 9'], 'E_LOCAL_CONNECTION',
      /127\.0\.0\.1:9 \(UDP\)/],
    ['where no agent answers on the host that it is connected to', ['connect 1 10.77.0.99 6001'], 'E_PEER',
      /10\.77\.0\.99:6001 \(UDP\) cannot follow: no migrun agent answers/],
    ['where its address is of no host', ['set 1 0 15 01000000', 'name 1 192.0.2.7 6001'], 'E_ADDRESS',
      /192\.0\.2\.7:6001/],
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
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
      code: 'E_PORT',
      text: expect.stringContaining('10.77.0.2:6001'),
      undone: ['preflight'],
    });
  });

  test('where its network interface is not there', async () => {
    await lab.hostA.run(['sh', '-c',
      'ip link add only-here type veth && ip addr add 10.99.0.1/24 dev only-here && ip link set only-here up']);
    await play([
      [box, 'udp 1 4'],
      [box, 'member 1 239.7.7.7 10.99.0.1'],
    ]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
      code: 'E_INTERFACE',
      text: expect.stringContaining('only-here'),
      undone: ['preflight'],
    });
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
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining('MSG_MORE'),
    });
    await play([
      [box, 'say 1 whole'],
      [box, 'listenfor 2', /^ok halfwhole /],
      [box, 'close 2'],
    ]);
  });
});
