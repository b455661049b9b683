/** How every option begins: the type, the version, the flags, and where a target speaks, its id. Only HELLO's and WELCOME's go on. */

import { MESSAGE_TYPES, type MessageType, PROTOCOL_VERSION, TARGET_ID_BYTES } from './messages';
import { MalformedMessage, type Reader, Writer } from './wire';

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
  /** Where FLAG_TARGET is set, and only there. */
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
