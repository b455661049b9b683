/** What moves beside CRIU's images: what travels of each kind, and who the peers are. */
import { decode, encode } from '@msgpack/msgpack';
import { z } from 'zod';
import { MigrunError } from '../errors';
import { hostAddresses } from '../kinds/ends';
import { practiceByKind, savedByKind } from '../kinds/saved';
import { hexId, peerTicket, programId } from '../protocol/control/index';

const movingState = z.object({
  version: z.literal(2),
  migration: hexId,
  program: programId,
  group: hexId,
  /** The addresses of the host that the program left. */
  addresses: z.array(z.string().max(64)).max(4096),
  /** The addresses at which neighbours on that host are reached from now on, in place of a loopback address. */
  host: hostAddresses,
  kinds: savedByKind,
  tickets: z.array(peerTicket),
});
export type MovingState = z.infer<typeof movingState>;

/** The name of the state's file among a program's images. */
export const STATE_FILE = 'migrun-state';

export function encodeState(state: MovingState): Buffer {
  const bytes = encode(state);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws E_IMAGE where the bytes are not a state of this version. */
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

/**
 * The state of no program, with one of everything, for practice (rehearsal.ts): what it lacked would be slow in the
 * pause.
 */
export function practiceState(): MovingState {
  const id = '0'.repeat(32);
  const ends = { local: { address: '::', port: 1 }, remote: { address: '::', port: 1 } };
  const ticket = { migration: id, sourceId: '0'.repeat(16), peerId: '0'.repeat(16), key: id.repeat(2) };
  return {
    version: 2,
    migration: id,
    program: '00000000',
    group: id,
    addresses: ['::'],
    host: { ipv4: null, ipv6: '::' },
    kinds: practiceByKind(),
    tickets: [{ ticket, connections: [{ connection: ends, token: id }] }],
  };
}
