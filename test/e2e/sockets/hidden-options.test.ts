/** Options that the kernel shows to nobody: the shim saw them, so a wrapped program that has one is told, and stays. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { agentOf, runDirOf } from '../../support/e2e/crashing.js';
import { onChange } from '../../support/e2e/files.js';
import { refusalOf } from '../../support/e2e/host.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

const ON = '01000000';
const OFF = '00000000';
/** The address fd77::1 is of the host itself, fd77::3 of another. */
const OWN = `fd77${'00'.repeat(13)}01`;
const OTHER = `fd77${'00'.repeat(13)}03`;
/** struct tcp_md5sig for 10.77.0.99. */
const MD5_KEY = ['020000000a4d0063'.padEnd(256, '0'), '0000', '0300', OFF,
  Buffer.from('key').toString('hex').padEnd(160, '0')].join('');
/** struct group_req for 239.7.7.7. */
const GROUP = `${ON}${OFF}${'02000000ef070707'.padEnd(256, '0')}`;
/** struct in6_flowlabel_req: IPV6_FL_A_GET with IPV6_FL_F_CREATE and IPV6_FL_S_ANY. */
const LABEL = `${OTHER}${OFF}00ff01003c000000${OFF}`;
/** struct xfrm_userpolicy_info: of IPv4, outwards, allowed. */
const POLICY = `${'00'.repeat(40)}02${'00'.repeat(119)}01${'00'.repeat(7)}`;

const MTU = ['udp 3 6', 'set 3 41 24 78050000'];

/** Each case: what the program does with its sockets 3 and 4, the code, and what the message has. */
const CASES: readonly (readonly [name: string, commands: readonly string[], code: string, text: string])[] = [
  ['IP_MULTICAST_IF by an index', ['udp 3 4', `set 3 0 32 ${OFF}${OFF}${ON}`], 'E_SOCKET_OPTION',
    'the socket at 0.0.0.0:0 (descriptor 3 of process 2) has IP_MULTICAST_IF'],
  ['a multicast group of a TCP socket', ['socket 3 4', `set 3 0 42 ${GROUP}`], 'E_SOCKET_OPTION', 'MCAST_JOIN_GROUP'],
  ['IPV6_MTU', MTU, 'E_SOCKET_OPTION', 'the socket at [::]:0 (descriptor 3 of process 2) has IPV6_MTU'],
  ['IPV6_PKTINFO', ['udp 3 6', 'name 3 :: 6100', `set 3 41 50 ${OWN}${OFF}`], 'E_SOCKET_OPTION',
    'the socket at [::]:6100 (descriptor 3 of process 2) has IPV6_PKTINFO'],
  ['a flow label', ['udp 3 6', `set 3 41 32 ${LABEL}`], 'E_SOCKET_OPTION', 'IPV6_FLOWLABEL_MGR'],
  ['a flow label of its connection', ['udp 3 6', 'name 3 ::1 6102', `set 3 41 33 ${ON}`, 'connect 3 ::1 6102 74565'],
    'E_SOCKET_OPTION', '[::1]:6102 - [::1]:6102 (descriptor 3 of process 2) has a flow label'],
  ['an anycast group', ['udp 3 6', `set 3 41 27 fd77${'00'.repeat(13)}77${OFF}`], 'E_SOCKET_OPTION',
    'IPV6_JOIN_ANYCAST'],
  ['an IPsec policy', ['udp 3 4', `set 3 0 17 ${POLICY}`], 'E_SOCKET_OPTION', 'IP_XFRM_POLICY'],
  ['MD5 keys that are not in use yet', ['socket 3 4', `set 3 6 14 ${MD5_KEY}`], 'E_TCP_KEYS', 'MD5'],
];

const member = (
  slot: number,
  kind: 'udp' | 'socket',
): string[] => [`${kind} ${slot} 4`, `set ${slot} 1 15 ${ON}`, `name ${slot} 0.0.0.0 6101`,
  ...(kind === 'socket' ? [`listen ${slot} 5`] : [])];

const lab = useLab();

describe('a program', () => {
  let box: SocketBox;

  beforeAll(async () => {
    await lab.startAgents();
    box = await SocketBox.wrapped(lab.hostA);
  });

  afterAll(() => box.end());

  async function run(...commands: string[]): Promise<void> {
    for (const command of commands) expect(await box.run(command)).toMatch(/^ok/);
  }

  async function reasons(): Promise<{ code: string; message: string }[]> {
    const { stdout } = await lab.hostA.run(['migrun', 'inspect', box.id!, '--json']);
    return (JSON.parse(stdout) as { reasons: { code: string; message: string }[] }).reasons;
  }

  test.each(CASES)('with %s stays', async (_name, commands, code, text) => {
    await run(...commands);
    expect(await reasons()).toEqual([{ code, message: expect.stringContaining(text) as string }]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
      code,
      text: expect.stringContaining(text),
      undone: ['preflight'],
    });
    await run('close 3');
    expect(await reasons()).toEqual([]);
  });

  test('with a flow label of a connection in the making stays', async () => {
    const peer = SocketBox.plain(lab.hostC);
    for (const command of ['socket 1 6', 'bind 1 :: 6103', 'listen 1 5', 'deaf 1'])
      expect(await peer.run(command)).toMatch(/^ok/);
    await run('socket 3 6', 'nonblock 3', `set 3 41 33 ${ON}`);
    expect(await box.run('connect 3 fd77::3 6103 74565')).toBe('error EINPROGRESS');
    expect(await reasons()).toEqual([{
      code: 'E_SOCKET_OPTION',
      message: expect.stringContaining('has a flow label') as string,
    }]);
    await run('close 3');
    await peer.end();
  });

  test.each(['udp', 'socket'] as const)(
    'with a program for a group of SO_REUSEPORT stays, whoever attached it: %s',
    async (kind) => {
      await run(...member(3, kind), ...member(4, kind), 'spread 3', 'close 3');
      const text = 'the socket at 0.0.0.0:6101 (descriptor 4 of process 2) is in an SO_REUSEPORT group with a program';
      expect(await reasons()).toEqual([{ code: 'E_SOCKET_FILTER', message: expect.stringContaining(text) as string }]);
      expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
        code: 'E_SOCKET_FILTER',
        text: expect.stringContaining(text),
        undone: ['preflight'],
      });
      await run(`set 4 1 68 ${OFF}`);
      expect(await reasons()).toEqual([]);
      await run('close 4');
    },
  );

  /** The preflight has looked at the program when the migration has its folder; then it asks the target. */
  test('that sets one while the preflight waits stays, once it stands still', async () => {
    const folder = join(runDirOf(box.started), 'migrations');
    const target = agentOf(lab.hostB);
    mkdirSync(folder, { recursive: true });
    process.kill(target, 'SIGSTOP');
    const command = lab.hostA.start(['migrun', 'migrate', box.id!, '--to', 'hostB']);
    await onChange(folder, 'a migration', () => readdirSync(folder).length > 0);
    await run(...MTU);
    process.kill(target, 'SIGCONT');
    const { status } = await command.ended;
    const refusal = refusalOf({ status, stdout: command.stdout.all, stderr: command.stderr.all });
    expect(refusal).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining('IPV6_MTU'),
      undone: ['lock', 'freeze', 'lock-peers', 'preflight'],
    });
    await run(`set 3 41 24 ${OFF}`);
  });

  test('that has them no more moves, and is seen again there', async () => {
    await lab.hostA.migrate(box.id!, lab.hostB);
    await run('close 3', ...MTU);
    expect(await lab.hostB.refusal(box.id!, 'hostA')).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining('IPV6_MTU'),
      undone: ['preflight'],
    });
    await run(`set 3 41 24 ${OFF}`);
    await lab.hostB.migrate(box.id!, lab.hostA);
  });

  test('whose connection keeps its SYN stays until it has read it; one that waits to be accepted gets one', async () => {
    await run(
      'socket 3 4',
      `set 3 6 27 ${ON}`,
      'bind 3 127.0.0.1 6104',
      'listen 3 5',
      'socket 4 4',
      'connect 4 127.0.0.1 6104',
      'accept 5 3',
    );
    const text = 'has the SYN that it began with';
    expect(await reasons()).toEqual([{ code: 'E_SOCKET_OPTION', message: expect.stringContaining(text) as string }]);
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining(text),
      undone: ['preflight'],
    });
    expect(await box.run('get 5 6 28')).toMatch(/^ok [1-9]/);
    expect(await reasons()).toEqual([]);
    await run('socket 6 4', 'connect 6 127.0.0.1 6104');
    await lab.hostA.migrate(box.id!, lab.hostB);
    await run('accept 7 3');
    expect(await lab.hostB.refusal(box.id!, 'hostA')).toMatchObject({
      code: 'E_SOCKET_OPTION',
      text: expect.stringContaining(text),
      undone: ['preflight'],
    });
    expect(await box.run('get 7 6 28')).toMatch(/^ok [1-9]/);
    await lab.hostB.migrate(box.id!, lab.hostA);
    await run('close 7', 'close 6', 'close 5', 'close 4', 'close 3');
  });
});
