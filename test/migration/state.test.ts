import { encode } from '@msgpack/msgpack';
import { decodeState, encodeState, movedConnections, type MovingConnection, type MovingState,
  practiceState } from '../../src/migration/state';
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
  return { innerPid: 2, fd: 4, saved, peerHas: 0xfffffff5, inside: false, waiting: null };
}

function state(change: Partial<MovingState> = {}): MovingState {
  const nothing = { acknowledged: 0, kept: new Uint8Array(), ended: false };
  return {
    version: 1,
    migration: 'a'.repeat(32),
    program: '1a2b3c4d',
    group: 'b'.repeat(32),
    connections: [connection()],
    udp: [],
    addresses: ['10.0.0.1'],
    host: { ipv4: '10.0.0.1', ipv6: null },
    bound: [{ innerPid: 2, fd: 6, family: 2, local: { address: '10.0.0.1', port: 80 }, backlog: 128 }],
    connecting: [{
      innerPid: 2,
      fd: 5,
      family: 2,
      local: { address: '10.0.0.1', port: 40000 },
      remote: { address: '10.0.0.3', port: 80 },
      inside: false,
    }],
    listeners: [{ innerPid: 2, fd: 3 }],
    sockets: [{ innerPid: 2, fd: 4, inode: 7711, options: [{ level: 6, name: 1, value: Buffer.from([1, 0, 0, 0]) }] }],
    timers: [],
    edges: [],
    tickets: [],
    console: {
      token: 'c'.repeat(32),
      stdout: { acknowledged: 12, kept: new Uint8Array([1, 0, 255]), ended: false },
      stderr: nothing,
      received: 3,
      inputEnded: true,
    },
    terminal: { rows: 24, columns: 80 },
    ...change,
  };
}

test('arrives as it was sent', () => {
  expect(decodeState(encodeState(state()))).toEqual(state());
});

test('a program without connections, and one with a thousand, arrive', () => {
  const many = Array.from(
    { length: 1000 },
    (_, number) => connection({ rcvNxt: number, receiveQueue: Buffer.alloc(number, number) }),
  );
  for (const connections of [[], many])
    expect(decodeState(encodeState(state({ connections }))).connections).toEqual(connections);
});

test('queues arrive as buffers of their own bytes', () => {
  const [arrived] = decodeState(encodeState(state())).connections;
  expect(Buffer.isBuffer(arrived?.saved.sendQueue)).toBe(true);
  expect(arrived?.saved.sendQueue.toString()).toBe('not acknowledged');
});

describe('is refused where', () => {
  test.each<[string, unknown]>([
    ['it is of another version', { ...state(), version: 2 }],
    ['something is missing', { ...state(), connections: undefined }],
    ['a sequence number does not fit', state({ connections: [connection({ sndUna: 2 ** 32 })] })],
    ['a sequence number is negative', state({ connections: [connection({ rcvNxt: -1 })] })],
    ["a family is none of TCP's", state({ connections: [connection({ family: 1 })] })],
    ['a port does not fit', state({ connections: [connection({ local: { address: '10.0.0.1', port: 65536 } })] })],
    ['a window scale is beyond RFC 7323', state({ connections: [connection({ sndWscale: 15 })] })],
    ['a queue is no bytes', {
      ...state(),
      connections: [{ ...connection(), saved: { ...connection().saved, sendQueue: 'text' } }],
    }],
    ['a receive buffer does not fit',
      state({ connections: [{ ...connection(), waiting: { receiveBuffer: 2 ** 31, alone: false } }] })],
    ['a descriptor is negative', state({ listeners: [{ innerPid: 2, fd: -1 }] })],
    ["the console's token is none", { ...state(), console: { ...state().console, token: '' } }],
    ["a program's id is a path", { ...state(), program: '../../x' }],
  ])('%s', (_what, value) => {
    expect(() => decodeState(Buffer.from(encode(value)))).toThrow(refused);
  });

  test.each<[string, Buffer]>([
    ['there are no bytes', Buffer.alloc(0)],
    ['it is cut short', encodeState(state()).subarray(0, -1)],
    ['something follows', Buffer.concat([encodeState(state()), Buffer.from([0])])],
    ['it is text', Buffer.from('{"version":1}')],
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
      const { connections } = decodeState(bytes);
      for (const { saved } of connections) expect(saved.local.port).toBeLessThanOrEqual(65535);
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_IMAGE' });
    }
  }
});

describe('movedConnections', () => {
  test('leaves out those that nobody is at the other end of', () => {
    const alone = { ...connection(), waiting: { receiveBuffer: 131072, alone: true } };
    const waiting = { ...connection(), waiting: { receiveBuffer: 131072, alone: false } };
    const locals = [1, 2, 3].map((port) => ({ address: '10.0.0.2', port }));
    expect(
      movedConnections([connection(), alone, waiting, { ...connection(), inside: true }], locals, state().host).map(
        ({ to }) => to.local.port,
      ),
    ).toEqual([1, 3]);
  });

  test("says each connection as it was, as it will be, and what of the peer's stream has arrived", () => {
    expect(movedConnections([connection()], [{ address: '10.0.0.2', port: 4884 }], state().host)).toEqual([
      {
        connection: { local: { address: '10.0.0.1', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } },
        to: { local: { address: '10.0.0.2', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } },
        peerHas: 17,
      },
    ]);
  });
});

test('the state for practice is a valid one, and leaves no list out: what it lacks is slow when it counts', () => {
  const state = decodeState(encodeState(practiceState()));
  expect(state).toEqual(practiceState());
  for (const list of [state.connections, state.bound, state.connecting, state.listeners, state.sockets, state.tickets])
    expect(list).toHaveLength(1);
});
