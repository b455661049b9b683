/**
 * HELLO and WELCOME. Both have the sender's public key in the option, {type, flags, key}: 34 bytes.
 *
 *   HELLO body    group 16, token 8, nonce 4; and where proved: answerer's key id 8, counter 8, MAC 16
 *   WELCOME body  group 16, token 8, nonce 4, status 1, MAC 16
 *
 * A proof names the key that it was made for: an agent that has started anew in between sees that it was meant for
 * its predecessor, and answers as to an unproved HELLO, with its new key.
 * Both MACs cover the connection's four addresses, and whether it is UDP: what was overheard on one connection says
 * nothing about another.
 */

import type { Endpoint } from '../../vocabulary/endpoint';
import { keyId, mac, macMatches } from './keys';
import { ID_BYTES, KEY_ID_BYTES, MAC_BYTES, PUBLIC_KEY_BYTES, TOKEN_BYTES } from './messages';
import type { Carried, Greeting, Hello, Welcome } from './messages';
import { decodeStatus, encodeStatus } from './payload';
import type { Refusal, Stamp, StampChecker, Stamper } from './seal';
import { decodeHeader, encodeAddresses, encodeHeader, FLAG_PROVED, MalformedMessage, Reader, Writer } from './wire';

const HELLO_LABEL = Buffer.from('migrun hello');
const WELCOME_LABEL = Buffer.from('migrun welcome');
const UDP_LABEL = Buffer.from('udp');

/** Who says something about which connection. */
export interface Parties {
  readonly askerKey: Buffer;
  readonly answererKey: Buffer;
  readonly asker: Endpoint;
  readonly answerer: Endpoint;
  /** The connection is one of UDP. */
  readonly udp: boolean;
}

interface HelloProof {
  /** Key id of the agent that it was made for. */
  readonly answererId: string;
  readonly stamp: Stamp;
}

export interface DecodedHello {
  readonly hello: Hello;
  readonly publicKey: Buffer;
  readonly proof: HelloProof | null;
}

export interface DecodedWelcome {
  readonly welcome: Welcome;
  readonly publicKey: Buffer;
  readonly mac: Buffer;
}

/** With `proving`, a proved HELLO. */
export function encodeHello(
  hello: Hello,
  publicKey: Buffer,
  proving: { stamper: Stamper; parties: Parties } | null,
): Carried {
  const flags = proving === null ? 0 : FLAG_PROVED;
  const option = Buffer.concat([encodeHeader({ type: 'hello', flags }), publicKey]);
  const body = encodeGreeting(hello);
  if (proving !== null) {
    const stamp = proving.stamper.stamp(helloParts(hello, proving.parties));
    body.hex(keyId(proving.parties.answererKey), KEY_ID_BYTES).u64(stamp.counter).bytes(stamp.mac);
  }
  return { option, body: body.finish() };
}

/** Throws MalformedMessage. */
export function decodeHello(carried: Carried): DecodedHello {
  const { flags, publicKey } = decodeOption(carried.option, 'hello');
  const reader = new Reader(carried.body);
  const hello: Hello = { type: 'hello', ...decodeGreeting(reader) };
  const proof = flags === FLAG_PROVED ? decodeProof(reader) : null;
  reader.end();
  return { hello, publicKey, proof };
}

export function refuseHello(checker: StampChecker, hello: Hello, stamp: Stamp, parties: Parties): Refusal | null {
  return checker.refuse(stamp, helloParts(hello, parties));
}

export function encodeWelcome(welcome: Welcome, key: Buffer, parties: Parties): Carried {
  const option = Buffer.concat([welcomeHeader(welcome), parties.answererKey]);
  const body = welcomeBody(welcome);
  return { option, body: Buffer.concat([body, welcomeMac(welcome, key, parties)]) };
}

/** Throws MalformedMessage. */
export function decodeWelcome(carried: Carried): DecodedWelcome {
  const { flags, publicKey } = decodeOption(carried.option, 'welcome');
  const reader = new Reader(carried.body);
  const welcome: Welcome = {
    type: 'welcome',
    ...decodeGreeting(reader),
    registered: flags === FLAG_PROVED,
    status: decodeStatus(reader),
  };
  const given = reader.take(MAC_BYTES);
  reader.end();
  return { welcome, publicKey, mac: given };
}

export function welcomeChecks(welcome: Welcome, given: Buffer, key: Buffer, parties: Parties): boolean {
  return macMatches(welcomeMac(welcome, key, parties), given);
}

function decodeOption(option: Buffer, expected: 'hello' | 'welcome'): { flags: number; publicKey: Buffer } {
  const reader = new Reader(option);
  const { type, flags } = decodeHeader(reader);
  if (type !== expected || (flags & ~FLAG_PROVED) !== 0) throw new MalformedMessage(`not a plain ${expected}`);
  const publicKey = reader.take(PUBLIC_KEY_BYTES);
  reader.end();
  return { flags, publicKey };
}

function decodeProof(reader: Reader): HelloProof {
  const answererId = reader.hex(KEY_ID_BYTES);
  return { answererId, stamp: { counter: reader.u64(), mac: reader.take(MAC_BYTES) } };
}

function encodeGreeting({ group, token, nonce }: Greeting): Writer {
  return new Writer().hex(group, ID_BYTES).hex(token, TOKEN_BYTES).u32(nonce);
}

function decodeGreeting(reader: Reader): Greeting {
  return { group: reader.hex(ID_BYTES), token: reader.hex(TOKEN_BYTES), nonce: reader.u32() };
}

function helloParts(hello: Hello, parties: Parties): Buffer[] {
  const header = encodeHeader({ type: 'hello', flags: FLAG_PROVED });
  return [HELLO_LABEL, header, ...partiesParts(parties), encodeGreeting(hello).finish()];
}

function welcomeHeader(welcome: Welcome): Buffer {
  return encodeHeader({ type: 'welcome', flags: welcome.registered ? FLAG_PROVED : 0 });
}

function welcomeBody(welcome: Welcome): Buffer {
  return encodeStatus(encodeGreeting(welcome), welcome.status).finish();
}

function welcomeMac(welcome: Welcome, key: Buffer, parties: Parties): Buffer {
  return mac(key, [WELCOME_LABEL, welcomeHeader(welcome), ...partiesParts(parties), welcomeBody(welcome)]);
}

function partiesParts(parties: Parties): Buffer[] {
  const { askerKey, answererKey, asker, answerer, udp } = parties;
  return [askerKey, answererKey, encodeAddresses(asker, answerer), ...(udp ? [UDP_LABEL] : [])];
}
