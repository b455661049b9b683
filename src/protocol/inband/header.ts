/** The first two bytes of the option: type, version and flags. */

import { MESSAGE_TYPES, PROTOCOL_VERSION, type MessageType } from './messages';
import type { Reader } from './wire';
import { MalformedMessage } from './wire';

/** HELLO: carries a proof. WELCOME: answers a proved HELLO. */
export const FLAG_PROVED = 1;
/** RESUME, CANCEL: from the target host, in the source's name. */
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
}

const TYPES_BY_NUMBER = new Map<number, MessageType>(
  (Object.keys(MESSAGE_TYPES) as MessageType[]).map((type) => [MESSAGE_TYPES[type], type]),
);

export function encodeHeader(header: Header): Buffer {
  return Buffer.from([MESSAGE_TYPES[header.type], (PROTOCOL_VERSION << 4) | header.flags]);
}

export function decodeHeader(reader: Reader): Header {
  const type = TYPES_BY_NUMBER.get(reader.u8());
  const versionAndFlags = reader.u8();
  const version = versionAndFlags >> 4;
  const flags = versionAndFlags & 0x0f;
  if (version !== PROTOCOL_VERSION) throw new OtherVersion(version);
  if (type === undefined) throw new MalformedMessage('unknown type');
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new MalformedMessage(`unknown flags ${flags}`);
  return { type, flags };
}
