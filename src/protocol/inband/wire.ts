/** Reading and writing bytes, big-endian, with every length checked. */

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
    const piece = Buffer.alloc(1);
    piece.writeUInt8(value);
    return this.bytes(piece);
  }

  u16(value: number): this {
    const piece = Buffer.alloc(2);
    piece.writeUInt16BE(value);
    return this.bytes(piece);
  }

  u32(value: number): this {
    const piece = Buffer.alloc(4);
    piece.writeUInt32BE(value);
    return this.bytes(piece);
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
}
