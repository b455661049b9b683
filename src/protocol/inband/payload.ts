/** The payloads of the sealed messages. */

import { ID_BYTES, KEY_ID_BYTES, MAC_BYTES, MAX_BODY, MAX_PARTS, STATUSES, TOKEN_BYTES } from './messages';
import type { IntroduceEntry, LockedEntry, MessageType, Part, ResumeEntry, SealedMessage, Status,
  StatusEntry } from './messages';
import { addressFromBytes, addressToBytes, MalformedMessage, Reader, Writer } from './wire';

/** A seal: the sender's key id, the counter, the MAC. */
export const SEAL_BYTES = KEY_ID_BYTES + 8 + MAC_BYTES;

/** An address of IPv6 with its length is 17 bytes. */
const INTRODUCE_FIXED = ID_BYTES + 4 + 2 * 17 + 4;
const INTRODUCE_ENTRY = TOKEN_BYTES + 12;
const LOCKED_FIXED = ID_BYTES + 6;
const LOCKED_ENTRY = TOKEN_BYTES + 5;
const HELD_FIXED = ID_BYTES + 8;
const RESUME_FIXED = 2 * ID_BYTES + 2 * 17 + 4;
const RESUME_ENTRY = TOKEN_BYTES + 6;
/** An entry of INTRODUCED, RESUMED or HELD. */
const STATUS_ENTRY = TOKEN_BYTES + 1;

/** How many entries one segment holds. INTRODUCED and RESUMED answer part by part, and their entries are smaller. */
export const INTRODUCE_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - INTRODUCE_FIXED) / INTRODUCE_ENTRY);
export const LOCKED_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - LOCKED_FIXED) / LOCKED_ENTRY);
export const HELD_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - HELD_FIXED) / STATUS_ENTRY);
export const RESUME_ENTRIES = Math.floor((MAX_BODY - SEAL_BYTES - RESUME_FIXED) / RESUME_ENTRY);

export type SealedType = SealedMessage['type'];

export function isSealedType(type: MessageType): type is SealedType {
  return type !== 'hello' && type !== 'welcome';
}

export function encodePayload(message: SealedMessage): Buffer {
  const writer = new Writer().hex('migration' in message ? message.migration : message.group, ID_BYTES);
  switch (message.type) {
    case 'introduce':
      encodeAddress(encodeAddress(writer.u32(message.nonce), message.address), message.peerAddress);
      return encodePart(
        writer,
        message,
        ({ token, port, peerPort, sndUna, rcvNxt }) =>
          writer.hex(token, TOKEN_BYTES).u16(port).u16(peerPort).u32(sndUna).u32(rcvNxt),
      );
    case 'lock':
      return writer.hex(message.group, ID_BYTES).u32(message.leaseMs).u16(message.round).u16(message.from).finish();
    case 'locked':
      return encodePart(
        writer.u16(message.round),
        message,
        (entry) => encodeStatusEntry(writer, entry).u32(entry.rcvNxt),
      );
    case 'working':
      return writer.u16(message.round).u32(message.ms).finish();
    case 'resume':
      encodeAddress(encodeAddress(writer.hex(message.group, ID_BYTES), message.address), message.peerAddress);
      return encodePart(
        writer,
        message,
        ({ token, port, peerHas }) => writer.hex(token, TOKEN_BYTES).u16(port).u32(peerHas),
      );
    case 'claim':
      return writer.hex(message.restore, ID_BYTES).u32(message.leaseMs).u32(message.nonce).u16(message.from).finish();
    case 'introduced':
    case 'held':
      return encodePart(writer.u32(message.nonce), message, (entry) => encodeStatusEntry(writer, entry));
    case 'resumed':
      return encodePart(writer, message, (entry) => encodeStatusEntry(writer, entry));
    case 'cancel':
    case 'cancelled':
      return writer.finish();
  }
}

/** Throws MalformedMessage, and nothing else. */
export function decodePayload(type: SealedType, payload: Buffer): SealedMessage {
  const reader = new Reader(payload);
  const message = decodeAs(type, reader.hex(ID_BYTES), reader);
  reader.end();
  return message;
}

/** `id` is a group's or a migration's. What is read is read in the order of the properties. */
function decodeAs(type: SealedType, id: string, reader: Reader): SealedMessage {
  const token = (): string => reader.hex(TOKEN_BYTES);
  const statusEntry = (): StatusEntry => ({ token: token(), status: decodeStatus(reader) });
  switch (type) {
    case 'introduce': {
      const fixed = { nonce: reader.u32(), address: decodeAddress(reader), peerAddress: decodeAddress(reader) };
      const entry = (): IntroduceEntry => ({
        token: token(),
        port: reader.u16(),
        peerPort: reader.u16(),
        sndUna: reader.u32(),
        rcvNxt: reader.u32(),
      });
      return { type, group: id, ...fixed, ...decodePart(reader, INTRODUCE_ENTRY, entry) };
    }
    case 'introduced':
      return { type, group: id, nonce: reader.u32(), ...decodePart(reader, STATUS_ENTRY, statusEntry) };
    case 'lock': {
      const group = reader.hex(ID_BYTES);
      return { type, migration: id, group, leaseMs: reader.u32(), round: reader.u16(), from: reader.u16() };
    }
    case 'locked': {
      const entry = (): LockedEntry => ({ ...statusEntry(), rcvNxt: reader.u32() });
      return { type, migration: id, round: reader.u16(), ...decodePart(reader, LOCKED_ENTRY, entry) };
    }
    case 'working':
      return { type, migration: id, round: reader.u16(), ms: reader.u32() };
    case 'resume': {
      const group = reader.hex(ID_BYTES);
      const addresses = { address: decodeAddress(reader), peerAddress: decodeAddress(reader) };
      const entry = (): ResumeEntry => ({ token: token(), port: reader.u16(), peerHas: reader.u32() });
      return { type, migration: id, group, ...addresses, ...decodePart(reader, RESUME_ENTRY, entry) };
    }
    case 'resumed':
      return { type, migration: id, ...decodePart(reader, STATUS_ENTRY, statusEntry) };
    case 'claim': {
      const restore = reader.hex(ID_BYTES);
      return { type, migration: id, restore, leaseMs: reader.u32(), nonce: reader.u32(), from: reader.u16() };
    }
    case 'held':
      return { type, migration: id, nonce: reader.u32(), ...decodePart(reader, STATUS_ENTRY, statusEntry) };
    case 'cancel':
    case 'cancelled':
      return { type, migration: id };
  }
}

/** Which migration a payload of one belongs to; the move key must be known before the rest is worth reading. */
export function migrationOf(payload: Buffer): string {
  return new Reader(payload).hex(ID_BYTES);
}

function encodeAddress(writer: Writer, address: string): Writer {
  const bytes = addressToBytes(address);
  return writer.u8(bytes.length).bytes(bytes);
}

function decodeAddress(reader: Reader): string {
  return addressFromBytes(reader.take(reader.u8()));
}

/** What a message of parts ends with. */
function encodePart<Entry>(writer: Writer, message: Part<Entry>, encode: (entry: Entry) => Writer): Buffer {
  const { part, parts, entries } = message;
  if (parts < 1 || parts > MAX_PARTS || part < 0 || part >= parts) throw new RangeError(`part ${part} of ${parts}`);
  writer.u16(part).u16(parts);
  for (const entry of entries) encode(entry);
  const payload = writer.finish();
  if (payload.length > MAX_BODY - SEAL_BYTES) throw new RangeError(`${payload.length} bytes do not fit one segment`);
  return payload;
}

/** The entries, each of `size` bytes, are what is left of the payload, so that no count has to be believed. */
function decodePart<Entry>(reader: Reader, size: number, decode: () => Entry): Part<Entry> {
  const part = reader.u16();
  const parts = reader.u16();
  if (parts < 1 || parts > MAX_PARTS || part >= parts) throw new MalformedMessage(`part ${part} of ${parts}`);
  if (reader.remaining % size !== 0) throw new MalformedMessage('a broken entry');
  const entries: Entry[] = [];
  while (reader.remaining > 0) entries.push(decode());
  return { part, parts, entries };
}

function encodeStatusEntry(writer: Writer, { token, status }: StatusEntry): Writer {
  return encodeStatus(writer.hex(token, TOKEN_BYTES), status);
}

export function encodeStatus(writer: Writer, status: Status): Writer {
  return writer.u8(STATUSES.indexOf(status));
}

export function decodeStatus(reader: Reader): Status {
  const status = STATUSES[reader.u8()];
  if (status === undefined) throw new MalformedMessage('unknown status');
  return status;
}
