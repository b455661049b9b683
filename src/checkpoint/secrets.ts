/** What a restore needs beside CRIU's images, and nobody else may read. */
import { decode, encode } from '@msgpack/msgpack';
import { z } from 'zod';
import { decodeState, encodeState, type MovingState } from '../migration/state';
import { type Arrival, arrival } from '../protocol/control/index';

export interface Secrets {
  readonly arrival: Arrival;
  readonly state: MovingState;
}

const schema = z.object({ arrival, state: z.instanceof(Uint8Array) });

export function encodeSecrets({ arrival, state }: Secrets): Buffer {
  return Buffer.from(encode({ arrival, state: encodeState(state) }));
}

/** Throws where the bytes are those of another version. */
export function decodeSecrets(bytes: Buffer): Secrets {
  const { arrival, state } = schema.parse(decode(bytes));
  return { arrival, state: decodeState(Buffer.from(state)) };
}
