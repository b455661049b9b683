/** What is in the frame of a message: msgpack of [kind, id, message]. */

import { decode, encode } from '@msgpack/msgpack';
import { z } from 'zod';
import type { MigrunError } from '../../errors';
import { protocolError } from './frames';

/** Every message says what it is. */
export interface TypedMessage {
  readonly type: string;
}

/** A plain message wants no answer. A request and its answer, or failure, have the same id. */
export const ENVELOPE_KINDS = ['plain', 'request', 'answer', 'failure'] as const;
export type EnvelopeKind = (typeof ENVELOPE_KINDS)[number];

export interface Envelope {
  readonly kind: EnvelopeKind;
  /** 0 where plain. */
  readonly id: number;
  /** Nothing of it is checked yet. */
  readonly message: unknown;
}

const MAX_FAILURE_TEXT = 16_384;

/** How a MigrunError crosses the channel. */
export const failureSchema = z.object({
  code: z.string().max(64),
  message: z.string().max(MAX_FAILURE_TEXT),
  hint: z.string().max(MAX_FAILURE_TEXT).optional(),
});

/** Cuts off text that is too long. */
export function encodeFailure({ code, message, hint }: MigrunError): z.infer<typeof failureSchema> {
  return {
    code,
    message: message.slice(0, MAX_FAILURE_TEXT),
    ...(hint === undefined ? {} : { hint: hint.slice(0, MAX_FAILURE_TEXT) }),
  };
}

/** The schema of bytes in a message; gives a Buffer. */
export const bytesSchema = z.instanceof(Uint8Array).transform((bytes): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
);

const envelopeSchema = z.tuple([z.enum(ENVELOPE_KINDS), z.int().min(0).max(0xffffffff), z.unknown()]);

export function encodeEnvelope({ kind, id, message }: Envelope): Buffer {
  const bytes = encode([kind, id, message], { ignoreUndefined: true });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws E_PROTOCOL. */
export function decodeEnvelope(payload: Buffer): Envelope {
  let decoded: unknown;
  try {
    // An item takes a byte at least: a length field reserves no memory for what is not there.
    decoded = decode(payload, { maxArrayLength: payload.length, maxMapLength: payload.length });
  } catch (cause) {
    throw protocolError('a message that is not msgpack', cause);
  }
  const [kind, id, message] = parseOrRefuse(envelopeSchema, decoded, 'envelope');
  return { kind, id, message };
}

/** Throws E_PROTOCOL, saying what of the message is wrong. */
export function parseOrRefuse<Output>(schema: z.ZodType<Output>, value: unknown, what: string): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw protocolError(`${what}: ${z.prettifyError(result.error).replaceAll('\n', ' ')}`);
}
