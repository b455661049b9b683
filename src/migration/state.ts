/** What moves beside CRIU's images: the connections, the console's positions, and who the peers are. */
import { decode, encode } from '@msgpack/msgpack';
import { z } from 'zod';
import { MigrunError } from '../errors';
import type { SavedSocket } from '../native/index';
import { bytesSchema } from '../protocol/channel/index';
import { endpoint, hexId, peerTicket, programId, sequence, socketOption } from '../protocol/control/index';
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import { INET_FAMILIES } from '../vocabulary/sockets';
import { type HostAddresses, otherEnd } from './local-connections';
import { movingUdp } from './moving-udp';

const sequenceNumber = sequence;
/** SO_RCVBUF is an int. */
const MAX_RECEIVE_BUFFER = 2 ** 31 - 1;

const addressFamily = z.int().refine((family) => INET_FAMILIES.includes(family));

const savedSocket = z.object({
  family: addressFamily,
  state: z.int().min(1).max(12),
  local: endpoint,
  remote: endpoint,
  sndUna: sequenceNumber,
  rcvNxt: sequenceNumber,
  finSent: z.boolean(),
  finReceived: z.boolean(),
  sendQueue: bytesSchema,
  receiveQueue: bytesSchema,
  options: z.int().min(0).max(255),
  sndWscale: z.int().min(0).max(14),
  rcvWscale: z.int().min(0).max(14),
  mssClamp: z.int().min(0).max(65535),
  reuseAddress: z.boolean(),
  timestamp: sequenceNumber,
  window: z.object({
    sndWl1: sequenceNumber,
    sndWnd: sequenceNumber,
    maxWindow: sequenceNumber,
    rcvWnd: sequenceNumber,
    rcvWup: sequenceNumber,
  }),
}) satisfies z.ZodType<SavedSocket>;

/** A 64-bit number, which MessagePack has no JavaScript number for. */
const int64 = z.string().regex(/^\d{1,19}$/).refine((digits) => BigInt(digits) < 2n ** 63n);

/** Where a socket is: descriptor `fd` of the process with pid `innerPid`. */
const place = z.object({ innerPid: z.int().positive(), fd: z.int().nonnegative() });

/** Any socket, with its inode here: the shim's registry names sockets by inode, and a restored one has another. */
const movingSocket = place.extend({ inode: z.int().nonnegative(), options: z.array(socketOption) });

/** A socket that has a name and no connection; the backlog is of one that listens. */
const boundSocket = place.extend({ family: addressFamily, local: endpoint, backlog: z.int().nonnegative().nullable() });

/** A connect in progress, as it was: it is made again. */
const connectingSocket = place.extend({
  family: addressFamily,
  local: endpoint,
  remote: endpoint,
  /** The program listens there. */ inside: z.boolean(),
});
export type ConnectingSocket = z.infer<typeof connectingSocket>;

/** One connection of the program and where its socket is: descriptor `fd` of the process with pid `innerPid`. */
const movingConnection = z.object({
  innerPid: z.int().positive(),
  fd: z.int().nonnegative(),
  saved: savedSocket,
  /** What the other end has received of our stream: its rcv_nxt at the suspension. */
  peerHas: sequenceNumber,
  /** The other end is the program's own. */
  inside: z.boolean(),
  /** It has not been accepted: its place is the listening socket's. Alone: nobody is at its other end any more. */
  waiting: z.object({ receiveBuffer: z.int().positive().max(MAX_RECEIVE_BUFFER), alone: z.boolean() }).nullable(),
});
export type MovingConnection = z.infer<typeof movingConnection>;

/** A connection whose other end follows. */
export function hasPeer({ inside, waiting }: Pick<MovingConnection, 'inside' | 'waiting'>): boolean {
  return !inside && waiting?.alone !== true;
}

const hostAddresses = z.object({ ipv4: z.ipv4().nullable(), ipv6: z.ipv6().nullable() }) satisfies z.ZodType<
  HostAddresses
>;

const outputState = z.object({
  acknowledged: z.int().nonnegative(),
  unacknowledged: z.instanceof(Uint8Array),
  ended: z.boolean(),
});

export const consoleState = z.object({
  token: hexId,
  stdout: outputState,
  stderr: outputState,
  received: z.int().nonnegative(),
  inputEnded: z.boolean(),
});
export type ConsoleState = z.infer<typeof consoleState>;

/** A timerfd that ends at a point of time: of its clock, as the program's time namespace has it. Nanoseconds. */
const movingTimer = place.extend({
  clock: z.int().nonnegative(),
  flags: z.int().nonnegative(),
  expirations: int64,
  end: int64,
  interval: int64,
});
export type MovingTimer = z.infer<typeof movingTimer>;

/** An epoll set, and what the program was told of its items. */
const movingSet = place.extend({
  notes: z.array(z.object({ fd: z.int().nonnegative(), told: z.int().min(0).max(0x7fff), isDisarmed: z.boolean() })),
});
export type MovingSet = z.infer<typeof movingSet>;

const movingState = z.object({
  version: z.literal(1),
  migration: hexId,
  program: programId,
  group: hexId,
  connections: z.array(movingConnection),
  udp: z.array(movingUdp),
  /** Of the host that it left. */
  addresses: z.array(z.string().max(64)).max(4096),
  /** Those that its neighbours there have from now on, where they were reached at loopback. */
  host: hostAddresses,
  /** Those that CRIU leaves without a name. */
  bound: z.array(boundSocket),
  /** Locked, as the dump found them. */
  connecting: z.array(connectingSocket),
  /** Likewise. */
  listeners: z.array(place),
  sockets: z.array(movingSocket),
  tickets: z.array(peerTicket),
  console: consoleState,
  timers: z.array(movingTimer),
  edges: z.array(movingSet),
  terminal: z.object({ rows: z.int(), columns: z.int() }).nullable(),
});
export type MovingState = z.infer<typeof movingState>;

/** Its name among a program's images. */
export const STATE_FILE = 'migrun-state';

export function encodeState(state: MovingState): Buffer {
  const bytes = encode(state);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws E_IMAGE. */
export function decodeState(bytes: Buffer): MovingState {
  try {
    return movingState.parse(decode(bytes));
  } catch (cause) {
    throw new MigrunError('E_IMAGE', 'the state that arrived is not one of this version', {
      hint: 'use the same version of migrun on both hosts',
      cause,
    });
  }
}

/** Of no program, with one of everything: for practice (rehearsal.ts). What it lacks would be slow in the pause. */
export function practiceState(): MovingState {
  const nothing = { acknowledged: 0, unacknowledged: new Uint8Array(), ended: false };
  const id = '0'.repeat(32);
  const local = { address: '::', port: 1 };
  const window = { sndWl1: 0, sndWnd: 0, maxWindow: 0, rcvWnd: 0, rcvWup: 0 };
  const saved = {
    family: 10 as const,
    state: 1,
    local,
    remote: local,
    sndUna: 0,
    rcvNxt: 0,
    finSent: false,
    finReceived: false,
    options: 0,
    sndWscale: 0,
    rcvWscale: 0,
    mssClamp: 0,
    reuseAddress: false,
    timestamp: 0,
    window,
  };
  const place = { innerPid: 1, fd: 0 };
  return {
    version: 1,
    migration: id,
    program: '00000000',
    group: id,
    connections: [{
      ...place,
      peerHas: 0,
      inside: false,
      waiting: { receiveBuffer: 1, alone: false },
      saved: { ...saved, sendQueue: Buffer.alloc(1), receiveQueue: Buffer.alloc(1) },
    }],
    udp: [{
      ...place,
      saved: {
        family: 10 as const,
        local,
        remote: local,
        multicastInterface: '0.0.0.0',
        interfaces: [],
        memberships: [],
        datagrams: [{ source: local, destination: '::', hopLimit: 0, trafficClass: 0, bytes: Buffer.alloc(1) }],
      },
    }],
    addresses: ['::'],
    host: { ipv4: null, ipv6: '::' },
    bound: [{ ...place, family: 10, local, backlog: 1 }],
    connecting: [{ ...place, family: 10, local, remote: local, inside: false }],
    listeners: [place],
    sockets: [{ ...place, inode: 1, options: [{ level: 0, name: 0, value: Buffer.alloc(1) }] }],
    tickets: [{
      ticket: { migration: id, sourceId: '0'.repeat(16), peerId: '0'.repeat(16), key: id.repeat(2) },
      connections: [{ connection: { local, remote: local }, token: id }],
    }],
    console: { token: id, stdout: nothing, stderr: nothing, received: 0, inputEnded: false },
    timers: [{ ...place, clock: 0, flags: 0, expirations: '0', end: '0', interval: '0' }],
    edges: [{ ...place, notes: [{ fd: 0, told: 0, isDisarmed: false }] }],
    terminal: null,
  };
}

/** What the peers are told: each connection as it was, as it will be, and what of the peer's stream has arrived. */
export function movedConnections(
  connections: readonly Pick<MovingConnection, 'saved' | 'inside' | 'waiting'>[],
  locals: readonly Endpoint[],
  host: HostAddresses,
): { connection: Connection; to: Connection; peerHas: number }[] {
  return connections.flatMap((connection, index) => {
    const { local, remote, rcvNxt } = connection.saved;
    if (!hasPeer(connection)) return [];
    return [{
      connection: { local, remote },
      to: { local: locals[index] ?? local, remote: otherEnd(remote, host) ?? remote },
      peerHas: rcvNxt,
    }];
  });
}
