/**
 * Messages and data over any Duplex: TLS between hosts, a UNIX socket between agent and supervisor.
 *
 * It is read only as far as somebody waits, in `receive` or for the answer to a `request`: what nobody takes stays in
 * the stream, and the other side feels it. That is also what lets an agent read the first messages and then hand the
 * whole rest over with `pipeTo`.
 */

import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { MigrunError } from '../../errors';
import { CLOSE_TIMEOUT_MS } from '../../times';
import { decodeEnvelope, encodeEnvelope, encodeFailure, type Envelope, failureSchema, type Frame, FrameReader,
  MAX_DATA_BYTES, parseOrRefuse, type TypedMessage, writeFrame } from './frames';

/** So much may lie unread while only answers are waited for; then nothing more is read until somebody receives. */
const MAX_UNREAD = 256;
const MAX_UNREAD_BYTES = MAX_DATA_BYTES;

export interface IncomingMessage<Message> {
  readonly kind: 'message';
  readonly message: Message;
  /** The other side waits for `reply` or `fail`. */
  readonly wantsAnswer: boolean;
  reply(answer: Message): Promise<void>;
  fail(error: MigrunError): Promise<void>;
}

export interface IncomingData {
  readonly kind: 'data';
  readonly data: Buffer;
}

export type Incoming<Message> = IncomingMessage<Message> | IncomingData;

interface Waiting<Value> {
  resolve(value: Value): void;
  reject(error: unknown): void;
}

export class Channel<Message extends TypedMessage> {
  /** Resolves when the stream is closed: with what broke it, or null. */
  readonly closed: Promise<MigrunError | null>;
  private readonly unread: Incoming<Message>[] = [];
  private readonly readers: Waiting<Incoming<Message> | null>[] = [];
  private readonly requests = new Map<number, Waiting<Message>>();
  private readonly frames: FrameReader;
  private lastId = 0;
  private reading = false;
  private handedOver = false;
  private closing = false;
  private drained: Promise<void> | undefined;
  /** Set when nothing more is read: with what broke the channel, or null at its end. */
  private ending: { error: MigrunError | null } | undefined;

  /** Takes the stream over. `schema` checks whatever arrives: a union by `type`. */
  constructor(private readonly stream: Duplex, private readonly schema: z.ZodType<Message>) {
    this.frames = new FrameReader(stream);
    stream.on('error', (error) => this.finish(error));
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.finish(null);
        resolve(this.ending?.error ?? null);
      });
    });
  }

  /** The next message or piece of data; null at the end. Throws what broke the channel. */
  receive(): Promise<Incoming<Message> | null> {
    this.refuseIfHandedOver();
    const next = this.unread.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.ending !== undefined) {
      return this.ending.error === null ? Promise.resolve(null) : Promise.reject(this.ending.error);
    }
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve, reject });
      void this.read();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Incoming<Message>, void> {
    for (let next = await this.receive(); next !== null; next = await this.receive()) yield next;
  }

  /** Resolves when more may be sent. Throws E_CHANNEL_CLOSED. */
  send(message: Message): Promise<void> {
    return this.sendEnvelope({ kind: 'plain', id: 0, message });
  }

  /** Sends a piece of what an earlier message announced, at most MAX_DATA_BYTES. Resolves when more may be sent. */
  sendData(data: Buffer): Promise<void> {
    return this.sendFrame({ kind: 'data', payload: data });
  }

  /** Gives the answer. Throws the MigrunError that the other side failed with, E_TIMEOUT, or E_CHANNEL_CLOSED. */
  async request(message: Message, options: { timeoutMs?: number } = {}): Promise<Message> {
    if (this.ending !== undefined) throw this.closedError();
    const id = ++this.lastId;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<Message>((resolve, reject) => {
      this.requests.set(id, { resolve, reject });
      if (options.timeoutMs === undefined) return;
      const late = new MigrunError('E_TIMEOUT', `no answer to ${message.type} within ${options.timeoutMs} ms`);
      timer = setTimeout(() => reject(late), options.timeoutMs);
    });
    const sent = this.sendEnvelope({ kind: 'request', id, message });
    void this.read();
    try {
      return (await Promise.all([answer, sent]))[0];
    } finally {
      clearTimeout(timer);
      this.requests.delete(id);
    }
  }

  /** Sends what is queued, then ends. What comes meanwhile is thrown away. Does not wait long for the other side. */
  async close(): Promise<void> {
    this.closing = true;
    this.stream.end();
    void this.read();
    const timer = setTimeout(() => this.stream.destroy(), CLOSE_TIMEOUT_MS);
    await this.closed;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  destroy(): void {
    this.stream.destroy();
  }

  /**
   * Gives a channel that speaks other messages over this stream from here on. Like `pipeTo` it is allowed only between
   * two frames.
   */
  withSchema<Other extends TypedMessage>(schema: z.ZodType<Other>): Channel<Other> {
    this.handOver();
    return new Channel(this.stream, schema);
  }

  /**
   * From here on every byte goes to `other` and back, until both are closed. Allowed only between two frames: no
   * `receive` and no `request` outstanding, and nothing that was read and not received.
   */
  async pipeTo(other: Duplex): Promise<void> {
    this.handOver();
    await Promise.all([copy(this.stream, other), copy(other, this.stream)]);
  }

  private handOver(): void {
    if (this.reading || this.unread.length > 0) throw new Error('the channel is being read');
    this.refuseIfHandedOver();
    this.handedOver = true;
    this.frames.release();
  }

  private async sendEnvelope(envelope: Envelope): Promise<void> {
    await this.sendFrame({ kind: 'message', payload: encodeEnvelope(envelope) });
  }

  private async sendFrame(frame: Frame): Promise<void> {
    this.refuseIfHandedOver();
    if (!this.stream.writable) throw this.closedError();
    if (!writeFrame(this.stream, frame)) await (this.drained ??= this.drain());
    if (this.stream.destroyed) throw this.closedError();
  }

  /** Waits once for the stream to take more, however many sends wait for it. */
  private async drain(): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.stream.off('drain', wake).off('close', wake);
        resolve();
      };
      this.stream.on('drain', wake).on('close', wake);
    });
    this.drained = undefined;
  }

  private async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    try {
      while (this.wantsMore()) {
        const frame = await this.frames.next();
        if (frame === null) this.finish(null);
        else this.dispatch(frame);
      }
    } catch (error) {
      this.finish(error);
      this.stream.destroy();
    } finally {
      this.reading = false;
    }
  }

  private wantsMore(): boolean {
    if (this.ending !== undefined) return false;
    return this.closing || this.readers.length > 0 || (this.requests.size > 0 && this.mayLieUnread());
  }

  private mayLieUnread(): boolean {
    const bytes = this.unread.reduce((sum, item) => sum + (item.kind === 'data' ? item.data.length : 0), 0);
    return this.unread.length < MAX_UNREAD && bytes < MAX_UNREAD_BYTES;
  }

  private dispatch({ kind, payload }: Frame): void {
    if (kind === 'data') return this.deliver({ kind, data: payload });
    const envelope = decodeEnvelope(payload);
    if (envelope.kind === 'plain' || envelope.kind === 'request') return this.deliver(this.incoming(envelope));
    // There may be no such request any more: it was given up.
    const request = this.requests.get(envelope.id);
    if (envelope.kind === 'answer') request?.resolve(parseOrRefuse(this.schema, envelope.message, 'answer'));
    else request?.reject(this.failure(envelope.message));
    this.requests.delete(envelope.id);
  }

  private incoming({ kind, id, message }: Envelope): IncomingMessage<Message> {
    const parsed = parseOrRefuse(this.schema, message, 'message');
    const answer = (answerKind: 'answer' | 'failure', body: unknown) => {
      if (kind !== 'request') throw new Error(`${parsed.type} wants no answer`);
      return this.sendEnvelope({ kind: answerKind, id, message: body });
    };
    return {
      kind: 'message',
      message: parsed,
      wantsAnswer: kind === 'request',
      reply: async (body) => answer('answer', body),
      fail: async (error) => answer('failure', encodeFailure(error)),
    };
  }

  private failure(body: unknown): MigrunError {
    const { code, message, hint } = parseOrRefuse(failureSchema, body, 'failure');
    return new MigrunError(code, message, hint === undefined ? {} : { hint });
  }

  private deliver(incoming: Incoming<Message>): void {
    const reader = this.readers.shift();
    if (reader !== undefined) reader.resolve(incoming);
    else if (!this.closing) this.unread.push(incoming);
  }

  private finish(cause: unknown): void {
    if (this.ending !== undefined) return;
    this.ending = { error: cause === null ? null : channelError(cause) };
    for (const reader of this.readers.splice(0)) {
      if (this.ending.error === null) reader.resolve(null);
      else reader.reject(this.ending.error);
    }
    for (const request of this.requests.values()) request.reject(this.closedError());
    this.requests.clear();
  }

  private closedError(): MigrunError {
    return this.ending?.error ?? new MigrunError('E_CHANNEL_CLOSED', 'the channel is closed');
  }

  private refuseIfHandedOver(): void {
    if (this.handedOver) throw new Error('the channel was handed over');
  }
}

function channelError(cause: unknown): MigrunError {
  if (cause instanceof MigrunError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new MigrunError('E_CHANNEL_CLOSED', `the channel broke: ${text}`, { cause });
}

/** Copies one way, the end included; where `from` breaks, `to` is destroyed. Resolves when `from` is closed. */
function copy(from: Duplex, to: Duplex): Promise<void> {
  from.on('error', () => to.destroy());
  from.pipe(to);
  return new Promise((resolve) => {
    const onClose = () => {
      resolve();
      if (!from.readableEnded) to.destroy();
      // Nobody takes what still comes: read on to its end, or it would never close.
      to.unpipe(from);
      to.resume();
    };
    if (from.closed) onClose();
    else from.once('close', onClose);
  });
}
