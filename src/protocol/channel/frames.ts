/**
 * Frames on a byte stream: u32 length of the payload, u8 kind, payload. That of a message is msgpack of
 * [kind, id, message].
 */

import { decode, encode } from '@msgpack/msgpack';
import type { Duplex, Readable } from 'node:stream';
import { z } from 'zod';
import { MigrunError } from '../../errors';

export const FRAME_KINDS = { message: 0, data: 1 } as const;
export type FrameKind = keyof typeof FRAME_KINDS;

const HEADER_BYTES = 5;
const WAKING = ['readable', 'end', 'error', 'close'];
/**
 * Both sides have shown the cluster key, or are root of the same host. So this bounds mistakes only, and is above what
 * lists of a million connections take, which is as many as a process can have (fs.nr_open).
 */
export const MAX_MESSAGE_BYTES = 512 * 1024 * 1024;
export const MAX_DATA_BYTES = 16 * 1024 * 1024;

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

export function protocolError(what: string, cause?: unknown): MigrunError {
  return new MigrunError('E_PROTOCOL', `the other side does not speak our protocol: ${what}`, { cause });
}

/** Queues one frame. False: wait for 'drain' before the next. */
export function writeFrame(stream: Duplex, { kind, payload }: Frame): boolean {
  const limit = limitOf(kind);
  if (payload.length > limit) throw new RangeError(`a ${kind} frame of ${payload.length} bytes, at most ${limit}`);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(payload.length);
  header.writeUInt8(FRAME_KINDS[kind], 4);
  stream.cork();
  stream.write(header);
  const accepted = payload.length === 0 || stream.write(payload);
  stream.uncork();
  return accepted && !stream.writableNeedDrain;
}

/** Reads a stream frame by frame. Takes exactly one frame's bytes at a time; the rest stays in the stream. */
export class FrameReader {
  private wake: () => void = () => undefined;
  private readonly onEvent = () => this.wake();

  /** Listens until `release`: a listener for 'readable' that comes and goes would fire at once each time. */
  constructor(private readonly stream: Readable) {
    for (const event of WAKING) stream.on(event, this.onEvent);
  }

  /** The next frame; null at the end of the stream. One call at a time. Throws E_PROTOCOL, or the stream's error. */
  async next(): Promise<Frame | null> {
    const header = await this.exactly(HEADER_BYTES);
    if (header === null) return null;
    const length = header.readUInt32BE(0);
    const kind = kindOf(header.readUInt8(4));
    if (length > limitOf(kind)) throw protocolError(`a ${kind} frame of ${length} bytes`);
    if (length === 0) return { kind, payload: Buffer.alloc(0) };
    const payload = await this.exactly(length);
    if (payload === null) throw protocolError('the stream ends within a frame');
    return { kind, payload };
  }

  /** Between two calls of `next`: whoever reads the stream now finds the next frame. */
  release(): void {
    for (const event of WAKING) this.stream.off(event, this.onEvent);
  }

  /** null: the stream ended before the first byte. */
  private async exactly(length: number): Promise<Buffer | null> {
    const { stream } = this;
    for (;;) {
      const bytes = stream.read(length) as Buffer | null;
      if (bytes !== null) {
        // Only at the end does read(n) give less than n.
        if (bytes.length < length) throw protocolError('the stream ends within a frame');
        return bytes;
      }
      if (stream.errored) throw stream.errored;
      if (stream.readableEnded || stream.destroyed) return null;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

function limitOf(kind: FrameKind): number {
  return kind === 'message' ? MAX_MESSAGE_BYTES : MAX_DATA_BYTES;
}

function kindOf(number: number): FrameKind {
  if (number === FRAME_KINDS.message) return 'message';
  if (number === FRAME_KINDS.data) return 'data';
  throw protocolError(`a frame of kind ${number}`);
}

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
