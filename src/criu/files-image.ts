/**
 * CRIU's files.img says what each descriptor refers to. It is changed here so that CRIU restores some sockets without
 * an address: on another host theirs is not there, and the target gives them their new one.
 *
 *   two magic numbers, then per file: its length, a file_entry (images/fdinfo.proto). That of an inet socket has an
 *   inet_sk_entry (images/sk-inet.proto) as its field `isk`. CRIU 4.2.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, Writer } from 'protobufjs';
import { MigrunError } from '../errors';
import { TCP_CLOSE } from '../vocabulary/sockets';

const IMG_COMMON_MAGIC = 0x54564319;
const FILES_MAGIC = 0x56303138;
const HEADER = 8;

const FILE_ISK = 4;
const ISK_INODE = 2;
const ISK_STATE = 6;
const ISK_SOURCE_PORT = 7;
const ISK_DESTINATION_PORT = 8;

const VARINT = 0;
const BYTES = 2;

/** One field of a message, as it was. */
interface Field {
  readonly id: number;
  readonly wire: number;
  /** Its bytes, with the tag. */
  readonly raw: Uint8Array;
  /** Reads its value. */
  readonly content: Reader;
}

/** Makes CRIU restore the sockets of these inodes without bind(2) and connect(2). Throws E_IMAGE. */
export function unbindSockets(folder: string, inodes: readonly number[]): void {
  if (inodes.length === 0) return;
  const path = join(folder, 'files.img');
  writeFileSync(path, unbindInImage(readFileSync(path), new Set(inodes)));
}

export function unbindInImage(image: Buffer, inodes: ReadonlySet<number>): Buffer {
  if (image.length < HEADER || image.readUInt32LE(0) !== IMG_COMMON_MAGIC || image.readUInt32LE(4) !== FILES_MAGIC)
    throw notAnImage();
  const pieces = [image.subarray(0, HEADER)];
  for (let at = HEADER; at < image.length;) {
    if (at + 4 > image.length) throw notAnImage();
    const size = image.readUInt32LE(at);
    if (at + 4 + size > image.length) throw notAnImage();
    const entry = changeFile(image.subarray(at + 4, at + 4 + size), inodes);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(entry.length);
    pieces.push(length, Buffer.from(entry));
    at += 4 + size;
  }
  return Buffer.concat(pieces);
}

function changeFile(file: Uint8Array, inodes: ReadonlySet<number>): Uint8Array {
  const fields = fieldsOf(file);
  const index = fields.findIndex(({ id, wire }) => id === FILE_ISK && wire === BYTES);
  if (index < 0) return file;
  const socket = fieldsOf(fields[index]!.content.bytes());
  if (!inodes.has(numberIn(socket, ISK_INODE))) return file;
  const changed = Buffer.concat(socket.map((field) => withNumber(field)));
  const writer = Writer.create();
  writer.uint32((FILE_ISK << 3) | BYTES).bytes(changed);
  return Buffer.concat(fields.map(({ raw }, at) => (at === index ? writer.finish() : raw)));
}

const NEW_NUMBERS = new Map([
  [ISK_STATE, TCP_CLOSE],
  [ISK_SOURCE_PORT, 0],
  [ISK_DESTINATION_PORT, 0],
]);

function withNumber({ id, wire, raw }: Field): Uint8Array {
  const value = NEW_NUMBERS.get(id);
  if (value === undefined || wire !== VARINT) return raw;
  return Writer.create().uint32((id << 3) | VARINT).uint32(value).finish();
}

function numberIn(fields: readonly Field[], id: number): number {
  const field = fields.find((one) => one.id === id && one.wire === VARINT);
  if (field === undefined) throw notAnImage();
  return field.content.uint32();
}

function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  const reader = Reader.create(message);
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const tag = reader.uint32();
      const content = Reader.create(message);
      content.pos = reader.pos;
      reader.skipType(tag & 7);
      fields.push({ id: tag >>> 3, wire: tag & 7, raw: message.subarray(start, reader.pos), content });
    }
  } catch (cause) {
    throw notAnImage(cause);
  }
  return fields;
}

function notAnImage(cause?: unknown): MigrunError {
  return new MigrunError('E_IMAGE', 'files.img is not as this CRIU should write it', {
    hint: 'run tools/setup for a CRIU that works here',
    cause,
  });
}
