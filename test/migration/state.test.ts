import { encode } from '@msgpack/msgpack';
import { type SavedByKind } from '../../src/kinds/saved';
import { KINDS } from '../../src/kinds/table';
import type { MovingConnection } from '../../src/kinds/tcp/connections';
import { decodeState, encodeState, type MovingState, practiceState } from '../../src/migration/state';
import { Random } from '../support/inband/random';

const refused = expect.objectContaining({ code: 'E_IMAGE' }) as Error;

function connection(change: Partial<MovingConnection['saved']> = {}): MovingConnection {
  const saved = {
    family: 2,
    state: 1,
    local: { address: '10.0.0.1', port: 4884 },
    remote: { address: '10.0.0.3', port: 50000 },
    sndUna: 0xfffffff0,
    rcvNxt: 17,
    finSent: false,
    finReceived: false,
    sendQueue: Buffer.from('not acknowledged'),
    receiveQueue: Buffer.alloc(0),
    options: 7,
    sndWscale: 7,
    rcvWscale: 14,
    mssClamp: 1460,
    reuseAddress: true,
    timestamp: 0xffffffff,
    window: { sndWl1: 1, sndWnd: 65535, maxWindow: 65535, rcvWnd: 32768, rcvWup: 17 },
    ...change,
  };
  return { innerPid: 2, fd: 4, saved, peerHas: 0xfffffff5, inside: false, keepsPort: true };
}

function waiting(change: object = {}): object {
  const { keepsPort: _keepsPort, ...rest } = connection();
  return { ...rest, fd: 3, receiveBuffer: 131072, alone: false, ...change };
}

const bound = {
  nameless: [{ innerPid: 2, fd: 6, family: 2, local: { address: '10.0.0.1', port: 80 }, backlog: 128 }],
  listening: [{ innerPid: 2, fd: 3, local: { address: '0.0.0.0', port: 4884 } }],
};

const nothing = { acknowledged: 0, unacknowledged: new Uint8Array(), ended: false };
const console = {
  console: {
    token: 'c'.repeat(32),
    stdout: { acknowledged: 12, unacknowledged: new Uint8Array([1, 0, 255]), ended: false },
    stderr: nothing,
    received: 3,
    inputEnded: true,
  },
  terminal: { rows: 24, columns: 80 },
};

function state(kinds: SavedByKind = {}): MovingState {
  return {
    version: 2,
    migration: 'a'.repeat(32),
    program: '1a2b3c4d',
    group: 'b'.repeat(32),
    addresses: ['10.0.0.1'],
    host: { ipv4: '10.0.0.1', ipv6: null },
    kinds: {
      console,
      affinity: [],
      timers: [],
      epoll: [],
      registry: [{ innerPid: 2, fd: 4, inode: 7711 }],
      bound,
      connecting: [{
        innerPid: 2,
        fd: 5,
        family: 2,
        local: { address: '10.0.0.1', port: 40000 },
        remote: { address: '10.0.0.3', port: 80 },
        inside: false,
      }],
      connections: [connection()],
      udp: [],
      'socket-options': [{ innerPid: 2, fd: 4, options: [{ level: 6, name: 1, value: Buffer.from([1, 0, 0, 0]) }] }],
      'accept-queues': [waiting()],
      ...kinds,
    },
    tickets: [],
  };
}

const connectionsIn = (bytes: Buffer) => decodeState(bytes).kinds['connections'] as MovingConnection[];

test('arrives as it was sent', () => {
  expect(decodeState(encodeState(state()))).toEqual(state());
});

test('a program without connections, and one with a thousand, arrive', () => {
  const many = Array.from(
    { length: 1000 },
    (_, number) => connection({ rcvNxt: number, receiveQueue: Buffer.alloc(number, number) }),
  );
  for (const connections of [[], many])
    expect(connectionsIn(encodeState(state({ connections })))).toEqual(connections);
});

test('queues arrive as buffers of their own bytes', () => {
  const [arrived] = connectionsIn(encodeState(state()));
  expect(Buffer.isBuffer(arrived?.saved.sendQueue)).toBe(true);
  expect(arrived?.saved.sendQueue.toString()).toBe('not acknowledged');
});

describe('is refused where', () => {
  test.each<[string, unknown]>([
    ['it is of an older version', { ...state(), version: 1 }],
    ['it is of a newer version', { ...state(), version: 3 }],
    ['something is missing', state({ connections: undefined })],
    ...KINDS.filter(({ saved }) => saved !== undefined).map(({ name }): [string, unknown] => [
      `there is nothing of ${name}`,
      { ...state(), kinds: Object.fromEntries(Object.entries(state().kinds).filter(([kind]) => kind !== name)) },
    ]),
    ['a sequence number does not fit', state({ connections: [connection({ sndUna: 2 ** 32 })] })],
    ['a sequence number is negative', state({ connections: [connection({ rcvNxt: -1 })] })],
    ["a family is none of TCP's", state({ connections: [connection({ family: 1 })] })],
    ['a port does not fit', state({ connections: [connection({ local: { address: '10.0.0.1', port: 65536 } })] })],
    ['a window scale is beyond RFC 7323', state({ connections: [connection({ sndWscale: 15 })] })],
    ['a queue is no bytes',
      state({ connections: [{ ...connection(), saved: { ...connection().saved, sendQueue: 'text' } }] })],
    ['a receive buffer does not fit', state({ 'accept-queues': [waiting({ receiveBuffer: 2 ** 31 })] })],
    ['a descriptor is negative', state({ bound: { ...bound, listening: [{ ...bound.listening[0], fd: -1 }] } })],
    ["the console's token is none", state({ console: { ...console, console: { ...console.console, token: '' } } })],
    ["a program's id is a path", { ...state(), program: '../../x' }],
  ])('%s', (_what, value) => {
    expect(() => decodeState(Buffer.from(encode(value)))).toThrow(refused);
  });

  test.each<[string, Buffer]>([
    ['there are no bytes', Buffer.alloc(0)],
    ['it is cut short', encodeState(state()).subarray(0, -1)],
    ['something follows', Buffer.concat([encodeState(state()), Buffer.from([0])])],
    ['it is text', Buffer.from('{"version":2}')],
    ['it announces more than there is', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
  ])('%s', (_what, bytes) => {
    expect(() => decodeState(bytes)).toThrow(refused);
  });
});

test('whatever is altered, it is a state or it is refused', () => {
  const random = new Random(4884);
  const whole = encodeState(state());
  for (let round = 0; round < 1000; round++) {
    const bytes = Buffer.from(whole.subarray(0, random.below(5) === 0 ? random.below(whole.length) : whole.length));
    for (let change = 0; change <= random.below(4) && bytes.length > 0; change++)
      bytes[random.below(bytes.length)] = random.below(256);
    try {
      for (const { saved } of connectionsIn(bytes)) expect(saved.local.port).toBeLessThanOrEqual(65535);
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_IMAGE' });
    }
  }
});

test('the state for practice is a valid one, and leaves no list out: what it lacks is slow when it counts', () => {
  const state = decodeState(encodeState(practiceState()));
  expect(state).toEqual(practiceState());
  expect(Object.keys(state.kinds).sort()).toEqual(
    KINDS.filter(({ saved }) => saved !== undefined).map(({ name }) => name).sort(),
  );
  const lists = (value: unknown): unknown[] =>
    Array.isArray(value) ? [value] : Object.values(value as object).filter(Array.isArray);
  const all = [state.tickets, ...Object.values(state.kinds).flatMap(lists)];
  expect(all.length).toBeGreaterThan(Object.keys(state.kinds).length);
  for (const list of all) expect(list).toHaveLength(1);
});
