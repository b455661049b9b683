/** Connections within one host: both ends in the program that moves, or the other one in a neighbour that stays. */
import { endPair, expectCounting, startPair, startPlainPair } from '../../support/e2e/counting.js';
import { FAULTY_CRIU, setFault } from '../../support/e2e/faulty-criu.js';
import type { Host } from '../../support/e2e/host.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

const [LISTENER, CLIENT, SERVER] = [0, 1, 2];

interface Kind {
  readonly name: string;
  readonly port: number;
  readonly client: 4 | 6;
  readonly server: 4 | 6;
  /** What the server of the case listens on. */
  readonly listen: string;
  readonly address: string;
  /** What that address becomes when both ends move to hostB. */
  readonly moved: string;
}

const KINDS: readonly Kind[] = [
  {
    name: '127.0.0.1',
    port: 5201,
    client: 4,
    server: 4,
    listen: '127.0.0.1',
    address: '127.0.0.1',
    moved: '127.0.0.1',
  },
  { name: '::1', port: 5202, client: 6, server: 6, listen: '::', address: '::1', moved: '::1' },
  {
    name: '127.0.0.1 to a socket of IPv6',
    port: 5203,
    client: 4,
    server: 6,
    listen: '::',
    address: '127.0.0.1',
    moved: '127.0.0.1',
  },
  {
    name: "the host's own address",
    port: 5204,
    client: 4,
    server: 4,
    listen: '10.77.0.1',
    address: '10.77.0.1',
    moved: '10.77.0.2',
  },
  {
    name: "the host's own address of IPv6",
    port: 5205,
    client: 6,
    server: 6,
    listen: '::',
    address: 'fd77::1',
    moved: 'fd77::2',
  },
];

const lab = useLab();
let box: SocketBox;

beforeAll(async () => {
  await lab.hostA.startAgent();
  await lab.hostC.startAgent();
  await lab.hostB.startAgent(FAULTY_CRIU);
});

/** Runs the commands; each must be answered with ok. */
async function all(who: SocketBox, ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const answer = await who.run(command);
    if (!answer.startsWith('ok')) throw new Error(`${who === box ? 'program' : 'neighbour'}, ${command}: ${answer}`);
  }
}

/** Sends both ways, more than any buffer has room for at once. */
async function talk(
  [one, slot]: readonly [SocketBox, number],
  [other, otherSlot]: readonly [SocketBox, number],
): Promise<void> {
  for (const [from, fromSlot, to, toSlot] of [[one, slot, other, otherSlot], [other, otherSlot, one, slot]] as const) {
    const sent = from.run(`& send ${fromSlot} 300000`);
    await all(to, `recv ${toSlot} 300000`);
    expect(await sent).toBe('ok 300000');
  }
}

async function listen(who: SocketBox, { server, listen: address, port }: Kind, backlog = 5): Promise<void> {
  await all(
    who,
    `socket ${LISTENER} ${server}`,
    `bind ${LISTENER} ${address} ${port}`,
    `listen ${LISTENER} ${backlog}`,
  );
}

async function connect(who: SocketBox, { client, address, port }: Kind, slot = CLIENT): Promise<void> {
  await all(who, `socket ${slot} ${client}`, `connect ${slot} ${address} ${port}`);
}

async function names(who: SocketBox, slot: number): Promise<string> {
  return /local=.*/.exec(await who.run(`facts ${slot}`))![0];
}

/** The addresses that the kernel of this host has for connections of this port. */
async function onTheWire(host: Host, port: number): Promise<string[]> {
  const { stdout } = await host.run(['ss', '-Htn', 'state', 'established', `( sport = :${port} or dport = :${port} )`]);
  const plain = (end: string): string => end.replace(/:\d+$/, '').replace(/[[\]]/g, '').replace('::ffff:', '');
  const lines = stdout.trim().split('\n').filter(Boolean);
  return [...new Set(lines.map((line) => line.trim().split(/\s+/).slice(-2).map(plain).join(' ')))].sort();
}

describe('both ends in the program', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
  });

  afterAll(() => box.end());

  afterEach(() => all(box, `close ${LISTENER}`, `close ${CLIENT}`, `close ${SERVER}`));

  test.each(KINDS)('over $name: they go on there, and back', async (kind) => {
    await listen(box, kind);
    await connect(box, kind);
    await all(box, `accept ${SERVER} ${LISTENER}`, `send ${CLIENT} 5000`, `fill ${SERVER} 100000000`);
    const before = [await names(box, CLIENT), await names(box, SERVER)];
    await lab.hostA.migrate(box.id!, lab.hostB);
    expect(await onTheWire(lab.hostA, kind.port)).toEqual([]);
    expect(await onTheWire(lab.hostB, kind.port)).toEqual([`${kind.moved} ${kind.moved}`]);
    expect([await names(box, CLIENT), await names(box, SERVER)]).toEqual(before);
    await all(box, `recv ${SERVER} 5000`);
    await lab.hostB.migrate(box.id!, lab.hostA);
    expect(await onTheWire(lab.hostA, kind.port)).toEqual([`${kind.address} ${kind.address}`]);
    await all(box, `shut ${SERVER} w`);
    expect(await box.run(`end ${CLIENT}`)).toMatch(/^ok \d+$/);
    await all(box, `send ${CLIENT} 1000`, `recv ${SERVER} 1000`);
  });

  test.each(KINDS)('over $name: one end shut down, one that waits to be accepted', async (kind) => {
    await listen(box, kind);
    await connect(box, kind);
    await all(box, `send ${CLIENT} 40000`, `shut ${CLIENT} w`);
    await lab.hostA.migrate(box.id!, lab.hostB);
    await all(box, `accept ${SERVER} ${LISTENER}`);
    expect(await box.run(`end ${SERVER}`)).toBe('ok 40000');
    await lab.hostB.migrate(box.id!, lab.hostA);
    await all(box, `send ${SERVER} 1000`, `recv ${CLIENT} 1000`);
  });
});

describe('both ends in the program, and', () => {
  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
  });

  afterAll(() => box.end());

  test.each(KINDS)('connects in progress over $name, for which its queue has no room, are made again', async (kind) => {
    const last = 5;
    await listen(box, kind, 0);
    await connect(box, kind, CLIENT);
    await all(box, `socket ${last} ${kind.client}`);
    const connected = box.run(`& connect ${last} ${kind.address} ${kind.port}`);
    await all(box, `state ${last} 2`);
    await lab.hostA.migrate(box.id!, lab.hostB);
    await all(box, `accept ${SERVER} ${LISTENER}`, `accept 3 ${LISTENER}`);
    expect(await connected).toBe('ok');
    await talk([box, last], [box, 3]);
    await talk([box, CLIENT], [box, SERVER]);
    await all(box, ...[LISTENER, CLIENT, SERVER, 3, last].map((slot) => `close ${slot}`));
    await lab.hostB.migrate(box.id!, lab.hostA);
  });

  test.each(KINDS)('over $name: a migration that is undone leaves them as they were', async (kind) => {
    await listen(box, kind);
    await connect(box, kind);
    await all(box, `accept ${SERVER} ${LISTENER}`, `send ${CLIENT} 5000`);
    await connect(box, kind, 5);
    await all(box, 'send 5 3000', 'shut 5 w');
    const before = await onTheWire(lab.hostA, kind.port);
    const fault = setFault(lab.hostB, 'fails when all is restored');
    expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({ code: 'E_CRIU' });
    fault.mend();
    expect(await onTheWire(lab.hostA, kind.port)).toEqual(before);
    await all(box, `recv ${SERVER} 5000`, `accept 3 ${LISTENER}`);
    expect(await box.run('end 3')).toBe('ok 3000');
    await talk([box, CLIENT], [box, SERVER]);
    await all(box, ...[LISTENER, CLIENT, SERVER, 3, 5].map((slot) => `close ${slot}`));
  });

  test.each(KINDS.filter(({ client, server }) => client === server))(
    'over $name: a socket that is connected to itself',
    async ({ client, address, port }) => {
      await all(
        box,
        `socket ${CLIENT} ${client}`,
        `bind ${CLIENT} ${address} ${port}`,
        `connect ${CLIENT} ${address} ${port}`,
        `send ${CLIENT} 5000`,
      );
      await lab.hostA.migrate(box.id!, lab.hostB);
      await all(box, `recv ${CLIENT} 5000`, `send ${CLIENT} 3000`);
      await lab.hostB.migrate(box.id!, lab.hostA);
      await all(box, `recv ${CLIENT} 3000`, `close ${CLIENT}`);
    },
  );
});

describe.each([
  ['wrapped', (host: Host) => SocketBox.wrapped(host)],
  ['not wrapped', (host: Host) => Promise.resolve(SocketBox.plain(host))],
])('a neighbour that is %s', (_name, start) => {
  let neighbour: SocketBox;

  beforeAll(async () => {
    box = await SocketBox.wrapped(lab.hostA);
    neighbour = await start(lab.hostA);
  });

  afterAll(() => Promise.all([box.end(), neighbour.end()]));

  describe.each([
    ['has connected to it', () => [neighbour, box] as const],
    ['it has connected to', () => [box, neighbour] as const],
  ])('and %s', (_which, roles) => {
    let client: SocketBox;
    let server: SocketBox;

    beforeEach(() => {
      [client, server] = roles();
    });

    async function meet(kind: Kind): Promise<void> {
      await listen(server, kind);
      await connect(client, kind);
      await all(server, `accept ${SERVER} ${LISTENER}`);
      await talkAll();
    }

    const talkAll = (): Promise<void> => talk([client, CLIENT], [server, SERVER]);
    const part = async (): Promise<void> => {
      await all(server, `close ${LISTENER}`, `close ${SERVER}`);
      await all(client, `close ${CLIENT}`);
    };

    test.each(KINDS)(
      'over $name: both go on when it has left, when it is back, and when it leaves again',
      async (kind) => {
        const [here, there] = kind.server === 6 && kind.client === 6
          ? ['fd77::1', 'fd77::2']
          : ['10.77.0.1', '10.77.0.2'];
        await meet(kind);
        const before = [await names(client, CLIENT), await names(server, SERVER)];
        for (const round of [1, 2]) {
          await all(neighbour, `send ${neighbour === client ? CLIENT : SERVER} 5000`);
          await lab.hostA.migrate(box.id!, lab.hostB);
          expect(await onTheWire(lab.hostA, kind.port)).toEqual([`${here} ${there}`]);
          expect(await onTheWire(lab.hostB, kind.port)).toEqual([`${there} ${here}`]);
          await all(box, `recv ${box === client ? CLIENT : SERVER} 5000`);
          await talkAll();
          if (round === 2) break;
          await lab.hostB.migrate(box.id!, lab.hostA);
          expect(await onTheWire(lab.hostA, kind.port)).toEqual([`${here} ${here}`]);
          await talkAll();
        }
        const after = [await names(client, CLIENT), await names(server, SERVER)];
        const wrapped = [client.id !== undefined, server.id !== undefined];
        expect(after.filter((_each, index) => wrapped[index])).toEqual(before.filter((_each, index) => wrapped[index]));
        await part();
        await lab.hostB.migrate(box.id!, lab.hostA);
      },
    );

    test.each(KINDS)('over $name: a migration that is undone leaves it as it was', async (kind) => {
      await meet(kind);
      const before = await onTheWire(lab.hostA, kind.port);
      expect(before).toEqual([`${kind.address} ${kind.address}`]);
      const fault = setFault(lab.hostB, 'fails when all is restored');
      expect(await lab.hostA.refusal(box.id!, 'hostB')).toMatchObject({ code: 'E_CRIU' });
      fault.mend();
      expect(await onTheWire(lab.hostA, kind.port)).toEqual(before);
      await talkAll();
      await part();
    });
  });
});

test.each([
  ['127.0.0.1', '0.0.0.0'],
  ['::1', '::'],
  ['10.77.0.1', '0.0.0.0'],
])('two that count with each other over %s part, and meet again on either host', async (address, listen) => {
  const { hostA, hostB } = lab;
  const pair = await startPair({ from: hostA, to: hostA, listen, address });
  await hostA.migrate(pair.server.id, hostB);
  await expectCounting(pair);
  await hostA.migrate(pair.clientId!, hostB);
  await expectCounting(pair);
  await hostB.migrate(pair.server.id, hostA);
  await expectCounting(pair);
  await hostB.migrate(pair.clientId!, hostA);
  await expectCounting(pair);
  await endPair(pair);
});

test('one that is not wrapped goes on counting', async () => {
  const { hostA, hostB } = lab;
  const pair = await startPlainPair({ from: hostA, to: hostA, address: '127.0.0.1' });
  for (const [from, to] of [[hostA, hostB], [hostB, hostA], [hostA, hostB]] as const) {
    await from.migrate(pair.server.id, to);
    await expectCounting(pair);
  }
  await endPair(pair);
});
