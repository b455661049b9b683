/**
 * The bytes of messages: reading and writing them, big-endian, with every length checked; and what is alike in many: IP
 * addresses, and how the option begins: with the type, the version and the flags, and where a target speaks, its id.
 * Only HELLO's and WELCOME's options go on.
 */

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { Endpoint } from '../../vocabulary/endpoint';
import { MESSAGE_TYPES, type MessageType, PROTOCOL_VERSION, TARGET_ID_BYTES } from './messages';

/** What arrived is not a message of ours. The only error that a decoder throws. */
export class MalformedMessage extends Error {
  readonly code = 'E_MALFORMED';

  constructor(what: string) {
    super(`malformed in-band message: ${what}`);
    this.name = 'MalformedMessage';
  }
}

export class Reader {
  private offset = 0;

  constructor(private readonly bytes: Buffer) {}

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    return this.bytes.readUInt8(this.advance(1));
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.advance(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.advance(4));
  }

  u64(): bigint {
    return this.bytes.readBigUInt64BE(this.advance(8));
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** `length` bytes as lower-case hex: how ids and tokens are held. */
  hex(length: number): string {
    return this.take(length).toString('hex');
  }

  end(): void {
    if (this.remaining !== 0) throw new MalformedMessage(`${this.remaining} bytes too many`);
  }

  private advance(length: number): number {
    if (length > this.remaining) throw new MalformedMessage(`${length - this.remaining} bytes short`);
    const start = this.offset;
    this.offset += length;
    return start;
  }
}

/** The values come from our own side: what does not fit is a mistake of ours, a RangeError. */
export class Writer {
  private readonly pieces: Buffer[] = [];

  u8(value: number): this {
    return this.number(value, 1);
  }

  u16(value: number): this {
    return this.number(value, 2);
  }

  u32(value: number): this {
    return this.number(value, 4);
  }

  u64(value: bigint): this {
    const piece = Buffer.alloc(8);
    piece.writeBigUInt64BE(value);
    return this.bytes(piece);
  }

  bytes(value: Buffer): this {
    this.pieces.push(value);
    return this;
  }

  hex(value: string, length: number): this {
    const piece = Buffer.from(value, 'hex');
    if (piece.length !== length || value.length !== 2 * length) {
      throw new RangeError(`not ${length} bytes in hex: ${JSON.stringify(value)}`);
    }
    return this.bytes(piece);
  }

  finish(): Buffer {
    return Buffer.concat(this.pieces);
  }

  private number(value: number, length: number): this {
    const piece = Buffer.alloc(length);
    piece.writeUIntBE(value, 0, length);
    return this.bytes(piece);
  }
}

/** 4 or 16 bytes. Throws a RangeError for what is not an address (a zone, "%eth0", is none). */
export function addressToBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new RangeError(`not an IP address: ${JSON.stringify(address)}`);
  const [head = '', tail] = withoutDottedQuad(address).split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  const middle = new Array<number>(8 - front.length - back.length).fill(0);
  const bytes = Buffer.alloc(16);
  [...front, ...middle, ...back].forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

/** The shortest text, as inet_ntop(3) prints it. */
export function addressFromBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new MalformedMessage(`an address of ${bytes.length} bytes`);
  const text = bytes.toString('hex').match(/.{4}/g)!.join(':');
  return new SocketAddress({ address: text, family: 'ipv6' }).address;
}

/**
 * The four addresses, `first` being the side that asked. An IPv4-mapped IPv6 address counts as the IPv4 address
 * that is on the wire: the two ends of one connection may hold it in different families.
 */
export function encodeAddresses(first: Endpoint, second: Endpoint): Buffer {
  const writer = new Writer();
  for (const end of [first, second]) {
    const bytes = plainBytes(addressToBytes(end.address));
    writer.u8(bytes.length).bytes(bytes).u16(end.port);
  }
  return writer.finish();
}

const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');

function plainBytes(bytes: Buffer): Buffer {
  return bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED_PREFIX) ? bytes.subarray(12) : bytes;
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

/** "::ffff:10.0.0.1" as "::ffff:a00:1". */
function withoutDottedQuad(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...quad: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = quad.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

/** HELLO: carries a proof. WELCOME: answers a proved HELLO. */
export const FLAG_PROVED = 1;
/** RESUME, CLAIM: from a target host, in the source's name. Its id comes after the flags. */
export const FLAG_TARGET = 2;
const KNOWN_FLAGS = FLAG_PROVED | FLAG_TARGET;

/** Another version of the protocol; told apart from noise because the user can do something about it. */
export class OtherVersion extends MalformedMessage {
  constructor(readonly version: number) {
    super(`version ${version} of the protocol, this is ${PROTOCOL_VERSION}`);
  }
}

export interface Header {
  readonly type: MessageType;
  readonly flags: number;
  /** It is there if and only if FLAG_TARGET is set. */
  readonly target?: string;
}

const TYPES_BY_NUMBER = new Map<number, MessageType>(
  (Object.keys(MESSAGE_TYPES) as MessageType[]).map((type) => [MESSAGE_TYPES[type], type]),
);

export function encodeHeader({ type, flags, target }: Header): Buffer {
  const writer = new Writer().u8(MESSAGE_TYPES[type]).u8((PROTOCOL_VERSION << 4) | flags);
  return (target === undefined ? writer : writer.hex(target, TARGET_ID_BYTES)).finish();
}

export function decodeHeader(reader: Reader): Header {
  const type = TYPES_BY_NUMBER.get(reader.u8());
  const versionAndFlags = reader.u8();
  const version = versionAndFlags >> 4;
  const flags = versionAndFlags & 0x0f;
  if (version !== PROTOCOL_VERSION) throw new OtherVersion(version);
  if (type === undefined) throw new MalformedMessage('unknown type');
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new MalformedMessage(`unknown flags ${flags}`);
  return (flags & FLAG_TARGET) === 0 ? { type, flags } : { type, flags, target: reader.hex(TARGET_ID_BYTES) };
}
