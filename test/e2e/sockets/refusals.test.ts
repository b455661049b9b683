/** What cannot be carried is refused by name before anything is touched, and goes on where it is. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { Actors, type End } from './script.js';

const SLOT = 1;
const LISTENER = 2;
const PORT = 5004;
const MPTCP = 262;
const ON = '01000000';

/** struct tcp_md5sig for 10.77.0.99: the address, the key's length after flags and prefix, the key. */
const MD5_KEY = [Buffer.from([2, 0, 0, 0, 10, 77, 0, 99]).toString('hex').padEnd(256, '0'), '0000', '0300', '00000000',
  Buffer.from('key').toString('hex').padEnd(160, '0')].join('');

interface RefusalCase {
  readonly name: string;
  readonly code: string;
  /** The commands that bring it about, with a connection between both ends. */
  readonly before: string;
  /** The commands that make the program movable again. */
  readonly after?: string;
}

const CASES: readonly RefusalCase[] = [
  {
    name: 'urgent data that the program has not read',
    code: 'E_URGENT_DATA',
    before: 'p send 10; p urgent; p send 10; m poll p 20000 -> ok p',
  },
  { name: 'an eBPF filter', code: 'E_SOCKET_FILTER', before: 'm ebpf', after: 'm hear' },
  { name: 'SO_LOCK_FILTER', code: 'E_SOCKET_FILTER', before: `m set 1 44 ${ON}` },
  { name: 'IP_UNICAST_IF', code: 'E_SOCKET_OPTION', before: 'm set 0 50 00000001', after: 'm set 0 50 00000000' },
  {
    name: 'data on its way without a copy',
    code: 'E_ERROR_QUEUE',
    before: `p deaf; m set 1 60 ${ON}; m send 10`,
    after: 'p hear; p recv 10',
  },
  {
    name: 'a count of what it has sent without a copy',
    code: 'E_SOCKET_OPTION',
    before: `m set 1 60 ${ON}; m zerocopy 10; p recv 10; m notified`,
  },
  { name: 'numbered timestamps', code: 'E_SOCKET_OPTION', before: 'm set 1 37 98000000', after: 'm set 1 37 18000000' },
];

const lab = useLab();

describe('a connection with', () => {
  let boxes: Record<End, SocketBox>;
  let actors: Actors;

  beforeAll(async () => {
    await lab.startAgents();
    boxes = { m: await SocketBox.wrapped(lab.hostA), p: SocketBox.plain(lab.hostC) };
    await run('m', `socket ${LISTENER} 4`, `bind ${LISTENER} 0.0.0.0 ${PORT}`, `listen ${LISTENER} 5`);
  });

  beforeEach(async () => {
    await run('p', `socket ${SLOT} 4`, `connect ${SLOT} 10.77.0.1 ${PORT}`);
    await run('m', `accept ${SLOT} ${LISTENER}`);
    actors = new Actors(boxes, SLOT);
  });

  afterEach(() => actors.play('m close; p close'));

  afterAll(() => Promise.all([boxes.m.end(), boxes.p.end()]));

  async function run(end: End, ...commands: string[]): Promise<void> {
    for (const command of commands) expect(await boxes[end].run(command)).toMatch(/^ok/);
  }

  test.each(CASES)('$name stays', async ({ code, before, after }) => {
    await actors.play(before);
    expect(await lab.hostA.refusal(boxes.m.id!, 'hostB')).toMatchObject({ code, undone: ['preflight'] });
    if (after !== undefined) await actors.play(`${after}; m send 100; p recv 100; p send 100; m recv 100`);
  });

  /** Each is read only after the refusal. */
  test.each([
    ['a reset', 'E_ERROR_QUEUE', 'p reset; m state CLOSE', 'm recv 1 -> error ECONNRESET'],
    ['bytes and a reset', 'E_ERROR_QUEUE', 'p send 3000; m poll i 20000 -> ok i; p reset; m state CLOSE',
      'm recv 3000; m recv 1 -> error ECONNRESET'],
    ['bytes and the end', 'E_TCP_STATE', 'p send 3000; p shut w; m shut w; p end; p close; m state CLOSE',
      'm end -> ok 3000'],
  ])('a closed connection with %s that the program has not read stays', async (_name, code, before, after) => {
    await actors.play(before);
    expect(await lab.hostA.refusal(boxes.m.id!, 'hostB')).toMatchObject({ code, undone: ['preflight'] });
    await actors.play(after);
    await run('p', `socket ${SLOT} 4`);
  });

  test.each([
    ['MPTCP', 'E_SOCKET_KIND', [`socket 3 4 ${MPTCP}`]],
    ['MD5 keys', 'E_TCP_KEYS', ['socket 3 4', 'bind 3 0.0.0.0 5005', 'listen 3 5', `set 3 6 14 ${MD5_KEY}`]],
  ])('another socket of %s stays', async (_name, code, commands) => {
    await run('m', ...commands);
    expect(await lab.hostA.refusal(boxes.m.id!, 'hostB')).toMatchObject({ code, undone: ['preflight'] });
    await run('m', 'close 3');
  });

  test('an option that the target does not take stays', async () => {
    await lab.hostA.run(['ip', 'link', 'add', 'only0', 'type', 'veth', 'peer', 'name', 'only1']);
    await run('m', 'socket 3 4', `set 3 1 25 ${Buffer.from('only0\0').toString('hex')}`);
    expect(await lab.hostA.refusal(boxes.m.id!, 'hostB')).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining('SO_BINDTODEVICE'),
      undone: ['preflight'],
    });
    await run('m', 'close 3');
    await lab.hostA.run(['ip', 'link', 'del', 'only0']);
  });
});
