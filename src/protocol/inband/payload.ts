/** The payloads of the sealed messages. */

import { addressFromBytes, addressToBytes } from './address';
import { ID_BYTES, KEY_ID_BYTES, MAC_BYTES, MAX_BODY, MAX_PARTS, STATUSES, TOKEN_BYTES } from './messages';
import type { Ask, Introduce, Introduced, MessageType, Resume, Resumed, SealedMessage, Status, Suspend, Suspended, Told,
  Working } from './messages';
import { MalformedMessage, Reader, Writer } from './wire';

/** Sender's key id, counter, MAC. */
export const SEAL_BYTES = KEY_ID_BYTES + 8 + MAC_BYTES;

/** Two addresses of IPv6, each with its length. */
const INTRODUCE_FIXED = ID_BYTES + 4 + 2 * 17 + 4;
const INTRODUCE_ENTRY = TOKEN_BYTES + 12;
const SUSPENDED_FIXED = ID_BYTES + 6;
const SUSPENDED_ENTRY = TOKEN_BYTES + 5;
const TOLD_FIXED = ID_BYTES + 8;
const RESUME_FIXED = 2 * ID_BYTES + 2 * 17 + 4;
const RESUME_ENTRY = TOKEN_BYTES + 6;
/** Of INTRODUCED, RESUMED and TOLD. */
const STATUS_ENTRY = TOKEN_BYTES + 1;

/** How many entries one segment holds. INTRODUCED and RESUMED answer part by part, and their entries are smaller. */
export const INTRODUCE_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - INTRODUCE_FIXED) / INTRODUCE_ENTRY);
export const SUSPENDED_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - SUSPENDED_FIXED) / SUSPENDED_ENTRY);
export const TOLD_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - TOLD_FIXED) / STATUS_ENTRY);
export const RESUME_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - RESUME_FIXED) / RESUME_ENTRY);

export type SealedType = SealedMessage['type'];

const SEALED_TYPES: readonly MessageType[] = [
  'suspend',
  'suspended',
  'resume',
  'resumed',
  'cancel',
  'cancelled',
  'introduce',
  'introduced',
  'working',
  'ask',
  'told',
] satisfies SealedType[];

export function isSealedType(type: MessageType): type is SealedType {
  return SEALED_TYPES.includes(type);
}

export function encodePayload(message: SealedMessage): Buffer {
  const writer = new Writer().hex('migration' in message ? message.migration : message.group, ID_BYTES);
  switch (message.type) {
    case 'introduce':
      return encodeIntroduce(writer, message);
    case 'introduced':
      return encodeIntroduced(writer, message);
    case 'suspend':
      return encodeSuspend(writer, message);
    case 'suspended':
      return encodeSuspended(writer, message);
    case 'working':
      return writer.u16(message.round).u32(message.ms).finish();
    case 'resume':
      return encodeResume(writer, message);
    case 'resumed':
      return encodeResumed(writer, message);
    case 'ask':
      return writer.hex(message.claim, ID_BYTES).u32(message.leaseMs).u32(message.nonce).u16(message.from).finish();
    case 'told':
      encodePart(writer.u32(message.nonce), message);
      return encodeStatuses(writer, message.entries);
    case 'cancel':
    case 'cancelled':
      return writer.finish();
  }
}

/** Throws MalformedMessage, and nothing else. */
export function decodePayload(type: SealedType, payload: Buffer): SealedMessage {
  const reader = new Reader(payload);
  const id = reader.hex(ID_BYTES);
  switch (type) {
    case 'introduce':
      return decodeIntroduce(reader, id);
    case 'introduced':
      return decodeIntroduced(reader, id);
    case 'suspend':
      return decodeSuspend(reader, id);
    case 'suspended':
      return decodeSuspended(reader, id);
    case 'working':
      return decodeWorking(reader, id);
    case 'resume':
      return decodeResume(reader, id);
    case 'resumed':
      return decodeResumed(reader, id);
    case 'ask':
      return decodeAsk(reader, id);
    case 'told':
      return decodeTold(reader, id);
    case 'cancel':
    case 'cancelled':
      reader.end();
      return { type, migration: id };
  }
}

/** Which migration a payload of one belongs to; the move key must be known before the rest is worth reading. */
export function migrationOf(payload: Buffer): string {
  return new Reader(payload).hex(ID_BYTES);
}

function encodeIntroduce(writer: Writer, message: Introduce): Buffer {
  writer.u32(message.nonce);
  encodeAddress(encodeAddress(writer, message.address), message.peerAddress);
  encodePart(writer, message);
  for (const { token, port, peerPort, sndUna, rcvNxt } of message.entries) {
    writer.hex(token, TOKEN_BYTES).u16(port).u16(peerPort).u32(sndUna).u32(rcvNxt);
  }
  return bounded(writer);
}

function decodeIntroduce(reader: Reader, group: string): Introduce {
  const nonce = reader.u32();
  const address = decodeAddress(reader);
  const peerAddress = decodeAddress(reader);
  const { part, parts } = decodePart(reader);
  const entries = decodeEntries(reader, INTRODUCE_ENTRY, () => ({
    token: reader.hex(TOKEN_BYTES),
    port: reader.u16(),
    peerPort: reader.u16(),
    sndUna: reader.u32(),
    rcvNxt: reader.u32(),
  }));
  return { type: 'introduce', group, nonce, address, peerAddress, part, parts, entries };
}

function encodeIntroduced(writer: Writer, message: Introduced): Buffer {
  encodePart(writer.u32(message.nonce), message);
  return encodeStatuses(writer, message.entries);
}

function decodeIntroduced(reader: Reader, group: string): Introduced {
  const nonce = reader.u32();
  const { part, parts } = decodePart(reader);
  return { type: 'introduced', group, nonce, part, parts, entries: decodeStatuses(reader) };
}

function encodeSuspend(writer: Writer, message: Suspend): Buffer {
  return writer
    .hex(message.group, ID_BYTES)
    .u32(message.leaseMs)
    .u16(message.round)
    .u16(message.from)
    .finish();
}

function decodeSuspend(reader: Reader, migration: string): Suspend {
  const group = reader.hex(ID_BYTES);
  const leaseMs = reader.u32();
  const round = reader.u16();
  const from = reader.u16();
  reader.end();
  return { type: 'suspend', migration, group, leaseMs, round, from };
}

function encodeSuspended(writer: Writer, message: Suspended): Buffer {
  writer.u16(message.round);
  encodePart(writer, message);
  for (const entry of message.entries) {
    encodeStatus(writer.hex(entry.token, TOKEN_BYTES), entry.status).u32(entry.rcvNxt);
  }
  return bounded(writer);
}

function decodeSuspended(reader: Reader, migration: string): Suspended {
  const round = reader.u16();
  const { part, parts } = decodePart(reader);
  const entries = decodeEntries(reader, SUSPENDED_ENTRY, () => ({
    token: reader.hex(TOKEN_BYTES),
    status: decodeStatus(reader),
    rcvNxt: reader.u32(),
  }));
  return { type: 'suspended', migration, round, part, parts, entries };
}

function decodeWorking(reader: Reader, migration: string): Working {
  const round = reader.u16();
  const ms = reader.u32();
  reader.end();
  return { type: 'working', migration, round, ms };
}

function encodeResume(writer: Writer, message: Resume): Buffer {
  encodeAddress(encodeAddress(writer.hex(message.group, ID_BYTES), message.address), message.peerAddress);
  encodePart(writer, message);
  for (const entry of message.entries) {
    writer.hex(entry.token, TOKEN_BYTES).u16(entry.port).u32(entry.peerHas);
  }
  return bounded(writer);
}

function decodeResume(reader: Reader, migration: string): Resume {
  const group = reader.hex(ID_BYTES);
  const address = decodeAddress(reader);
  const peerAddress = decodeAddress(reader);
  const { part, parts } = decodePart(reader);
  const entries = decodeEntries(reader, RESUME_ENTRY, () => ({
    token: reader.hex(TOKEN_BYTES),
    port: reader.u16(),
    peerHas: reader.u32(),
  }));
  return { type: 'resume', migration, group, address, peerAddress, part, parts, entries };
}

function encodeResumed(writer: Writer, message: Resumed): Buffer {
  encodePart(writer, message);
  return encodeStatuses(writer, message.entries);
}

function decodeResumed(reader: Reader, migration: string): Resumed {
  const { part, parts } = decodePart(reader);
  return { type: 'resumed', migration, part, parts, entries: decodeStatuses(reader) };
}

function decodeAsk(reader: Reader, migration: string): Ask {
  const claim = reader.hex(ID_BYTES);
  const leaseMs = reader.u32();
  const nonce = reader.u32();
  const from = reader.u16();
  reader.end();
  return { type: 'ask', migration, claim, leaseMs, nonce, from };
}

function decodeTold(reader: Reader, migration: string): Told {
  const nonce = reader.u32();
  const { part, parts } = decodePart(reader);
  return { type: 'told', migration, nonce, part, parts, entries: decodeStatuses(reader) };
}

function encodeAddress(writer: Writer, address: string): Writer {
  const bytes = addressToBytes(address);
  return writer.u8(bytes.length).bytes(bytes);
}

function decodeAddress(reader: Reader): string {
  return addressFromBytes(reader.take(reader.u8()));
}

function encodeStatuses(writer: Writer, entries: Introduced['entries']): Buffer {
  for (const { token, status } of entries) encodeStatus(writer.hex(token, TOKEN_BYTES), status);
  return bounded(writer);
}

function decodeStatuses(reader: Reader): Introduced['entries'] {
  return decodeEntries(reader, STATUS_ENTRY, () => ({ token: reader.hex(TOKEN_BYTES), status: decodeStatus(reader) }));
}

function encodePart(writer: Writer, { part, parts }: { part: number; parts: number }): void {
  if (parts < 1 || parts > MAX_PARTS || part < 0 || part >= parts) throw new RangeError(`part ${part} of ${parts}`);
  writer.u16(part).u16(parts);
}

function decodePart(reader: Reader): { part: number; parts: number } {
  const part = reader.u16();
  const parts = reader.u16();
  if (parts < 1 || parts > MAX_PARTS || part >= parts) throw new MalformedMessage(`part ${part} of ${parts}`);
  return { part, parts };
}

/** The entries are what is left of the payload, so that no count has to be believed. */
function decodeEntries<Entry>(reader: Reader, size: number, decode: () => Entry): Entry[] {
  if (reader.remaining % size !== 0) throw new MalformedMessage('a broken entry');
  const entries: Entry[] = [];
  while (reader.remaining > 0) entries.push(decode());
  return entries;
}

export function encodeStatus(writer: Writer, status: Status): Writer {
  return writer.u8(STATUSES.indexOf(status));
}

export function decodeStatus(reader: Reader): Status {
  const status = STATUSES[reader.u8()];
  if (status === undefined) throw new MalformedMessage('unknown status');
  return status;
}

function bounded(writer: Writer): Buffer {
  const payload = writer.finish();
  if (payload.length > MAX_BODY - SEAL_BYTES) throw new RangeError(`${payload.length} bytes do not fit one segment`);
  return payload;
}
