/** Sockets that listen, or may yet: all in one program, there and back, each tried on each host. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

interface HostAddresses {
  readonly v4: string;
  readonly v6: string;
}

const HOST_A: HostAddresses = { v4: '10.77.0.1', v6: 'fd77::1' };
const HOST_B: HostAddresses = { v4: '10.77.0.2', v6: 'fd77::2' };
const PEER_PORT = 7000;
const BACKLOG = 7;
const SO_REUSEPORT = '1 15 01000000';
const IP_BIND_ADDRESS_NO_PORT = '0 24 01000000';

type Address = (host: HostAddresses) => string;
const anyV4: Address = () => '0.0.0.0';
const anyV6: Address = () => '::';
const v4: Address = (host) => host.v4;
const v6: Address = (host) => host.v6;
const loopback: Address = () => '127.0.0.1';
const mapped = (address: Address): Address => (host) => `::ffff:${address(host)}`;

/** What waits for the connection while the program moves. */
type Waiting = 'nothing' | 'accept' | 'poll' | 'an epoll set';

interface ListeningCase {
  readonly name: string;
  readonly family: 4 | 6;
  /** The name that getsockname tells, on each host. */
  readonly local: Address;
  /** What the peer connects to; null: nobody from outside can. */
  readonly reach: Address | null;
  readonly waiting?: Waiting;
  readonly withoutReuse?: true;
}

const ADDRESSES: readonly ListeningCase[] = [
  { name: 'any address', family: 4, local: anyV4, reach: v4 },
  { name: 'any address of IPv6', family: 6, local: anyV6, reach: v6 },
  { name: 'any address of both families', family: 6, local: anyV6, reach: v4 },
  { name: 'one address', family: 4, local: v4, reach: v4 },
  { name: 'one address of IPv6', family: 6, local: v6, reach: v6 },
  { name: 'one mapped address', family: 6, local: mapped(v4), reach: v4 },
  { name: 'loopback', family: 4, local: loopback, reach: null },
];

const WAITING: readonly Waiting[] = ['nothing', 'accept', 'poll', 'an epoll set'];
const CASES: readonly ListeningCase[] = [
  ...ADDRESSES.flatMap((one) =>
    WAITING.filter((waiting) => one.reach !== null || waiting === 'nothing').map((waiting) => ({
      ...one,
      waiting,
      name: `${one.name}, and ${waiting} waits`,
    }))
  ),
  { name: 'any address, without SO_REUSEADDR', family: 4, local: anyV4, reach: v4, withoutReuse: true },
  { name: 'one address, without SO_REUSEADDR', family: 4, local: v4, reach: v4, withoutReuse: true },
];

const lab = useLab();
let moved: SocketBox;
let peer: SocketBox;

async function ok(box: SocketBox, ...commands: string[]): Promise<string> {
  let answer = '';
  for (const command of commands) {
    answer = await box.run(command);
    if (!/^ok\b/.test(answer)) throw new Error(`${command}: ${answer}`);
  }
  return answer.slice('ok '.length);
}

async function localOf(slot: number): Promise<string> {
  return /local=(\S+)/.exec(await ok(moved, `facts ${slot}`))![1]!;
}

/** Sends bytes in both directions, and closes both sockets. */
async function use(slot: number): Promise<void> {
  for (const [from, to] of [[moved, peer], [peer, moved]] as const) {
    await ok(from, `send ${slot} 3000`);
    expect(await to.run(`recv ${slot} 3000`)).toBe('ok 3000');
  }
  await ok(moved, `close ${slot}`);
  expect(await peer.run(`end ${slot}`)).toBe('ok 0');
  await ok(peer, `close ${slot}`);
}

/** One case's sockets: the one that listens, what it accepts, its epoll set. */
class Listening {
  private readonly port: number;
  private readonly connection: number;
  private readonly set: number;
  private waits: Promise<string> | undefined;

  constructor(private readonly one: ListeningCase, private readonly slot: number) {
    this.port = 5000 + slot;
    this.connection = 500 + slot;
    this.set = 1000 + slot;
  }

  async make(): Promise<void> {
    const { family, local, withoutReuse } = this.one;
    await ok(
      moved,
      `socket ${this.slot} ${family}`,
      `bind ${this.slot} ${local(HOST_A)} ${this.port}${withoutReuse === true ? ' plain' : ''}`,
      `listen ${this.slot} ${BACKLOG}`,
      `watch ${this.set} ${this.slot} i`,
    );
  }

  wait(): void {
    const commands: Partial<Record<Waiting, string>> = {
      accept: `accept ${this.connection} ${this.slot}`,
      poll: `poll ${this.slot} i 600000`,
      'an epoll set': `event ${this.set}`,
    };
    const command = commands[this.one.waiting ?? 'nothing'];
    this.waits = command === undefined ? undefined : moved.run(`& ${command}`);
  }

  /** Checks one case on one host. `listed`: what ss says of the host. */
  async expectUse(host: HostAddresses, listed: string): Promise<void> {
    const { reach, local, waiting } = this.one;
    const address = local(host);
    expect(listed).toContain(
      ` ${address === '::' ? '*' : address.includes(':') ? `[${address}]` : address}:${this.port} `,
    );
    // The shim goes on telling the name that it told first.
    expect(await localOf(this.slot)).toBe(`[${local(HOST_A)}]:${this.port}`);
    expect(await ok(moved, `backlog ${this.slot}`)).toBe(String(BACKLOG));
    if (reach === null) return;
    await ok(
      peer,
      `socket ${this.connection} ${reach === v6 ? 6 : 4}`,
      `connect ${this.connection} ${reach(host)} ${this.port}`,
    );
    if (this.waits !== undefined) expect(await this.waits).toMatch(/^ok( i| 1)?$/);
    if (waiting !== 'accept') await ok(moved, `accept ${this.connection} ${this.slot}`);
    await use(this.connection);
  }
}

describe('a program with sockets that listen', () => {
  const listening = CASES.map((one, index) => new Listening(one, index));

  beforeAll(async () => {
    await lab.startAgents();
    moved = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
    for (const one of listening) await one.make();
    for (const slot of listening.keys()) await localOf(slot);
    await ok(peer, 'socket 1900 4', `bind 1900 0.0.0.0 ${PEER_PORT}`, 'listen 1900 100');
    for (const slot of [400, 401, 402])
      await ok(
        moved,
        `socket ${slot} 4`,
        `set ${slot} ${SO_REUSEPORT}`,
        `bind ${slot} 0.0.0.0 6000`,
        `listen ${slot} 100`,
        `nonblock ${slot}`,
      );
    await ok(moved, 'socket 410 4', 'bind 410 0.0.0.0 6010', 'socket 411 6', `bind 411 ${HOST_A.v6} 6011`);
    await ok(moved, 'socket 412 4', `set 412 ${IP_BIND_ADDRESS_NO_PORT}`, `bind 412 ${HOST_A.v4} 0`, 'socket 413 4');
  });

  afterAll(() => Promise.all([moved.end(), peer.end()]));

  describe.each(
    [
      ['moves', 'hostA', 'hostB', HOST_B],
      ['moves back', 'hostB', 'hostA', HOST_A],
    ] as const,
  )('that %s', (_name, from, to, host) => {
    let listed = '';

    beforeAll(async () => {
      for (const one of listening) one.wait();
      await lab[from].migrate(moved.id!, lab[to]);
      listed = (await lab[to].run(['ss', '-Hltn'])).stdout;
    });

    test.each(CASES.map(({ name }, index) => [name, index] as const))('listens on %s', async (_case, index) => {
      await listening[index]!.expectUse(host, listed);
    });

    test('shares a port among a group', async () => {
      for (let slot = 700; slot < 760; slot++) await ok(peer, `socket ${slot} 4`, `connect ${slot} ${host.v4} 6000`);
      const counts = [0, 0, 0];
      for (const [member, slot] of [400, 401, 402].entries()) {
        while ((await moved.run(`accept 800 ${slot}`)).startsWith('ok')) {
          counts[member]!++;
          await ok(moved, 'close 800');
        }
      }
      expect(counts[0]! + counts[1]! + counts[2]!).toBe(60);
      expect(Math.min(...counts)).toBeGreaterThan(0);
      for (let slot = 700; slot < 760; slot++) await ok(peer, `close ${slot}`);
    });
  });

  test.each([
    ['any address', 410, 4, HOST_A.v4, 6010, '0.0.0.0'],
    ['one address', 411, 6, HOST_A.v6, 6011, HOST_A.v6],
  ])('a socket that is bound to %s can listen afterwards', async (_name, slot, family, address, port, local) => {
    expect(await localOf(slot)).toBe(`[${local}]:${port}`);
    await ok(moved, `listen ${slot} 5`);
    await ok(peer, `socket 600 ${family}`, `connect 600 ${address} ${port}`);
    await ok(moved, `accept 600 ${slot}`);
    await use(600);
  });

  test.each([
    ['bound to one address without a port', 412, HOST_A.v4],
    ['not bound', 413, '0.0.0.0'],
  ])('a socket that is %s can connect afterwards', async (_name, slot, local) => {
    expect(await localOf(slot)).toBe(`[${local}]:0`);
    await ok(moved, `connect ${slot} 10.77.0.3 ${PEER_PORT}`);
    await ok(peer, `accept ${slot} 1900`);
    await use(slot);
  });
});
