/**
 * The keys of the in-band messages: one X25519 key pair per agent, fresh at each start; from it a pair key with each
 * other agent; from that a move key per migration, which is all that the source hands to the target host.
 *
 *   pair key  = HKDF-SHA256(shared secret, salt: cluster key or empty, info: label, both public keys in order)
 *   sending   = HKDF(pair key, info: "from", sender's public key)
 *   move key  = HKDF(pair key, salt: migration id, info: "move", source's public key)
 *   role key  = HKDF(move key, info: "move source" | "move target", target's id | "move peer")
 *
 * Where a cluster key is set, an agent without it never makes a valid MAC.
 */

import { createHash, createHmac, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { ID_BYTES, KEY_ID_BYTES, MAC_BYTES, type MoveRole, PUBLIC_KEY_BYTES } from './messages';
import { MalformedMessage } from './wire';

const KEY_BYTES = 32;
const EMPTY = Buffer.alloc(0);
/** What comes before the 32 bytes in an X25519 SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export interface KeyPair {
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
  /** Names the public key, in hex. */
  readonly id: string;
}

export function generateKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  return { publicKey: raw, privateKey, id: keyId(raw) };
}

export function keyId(publicKey: Buffer): string {
  return createHash('sha256').update('migrun key id').update(publicKey).digest('hex').slice(0, 2 * KEY_ID_BYTES);
}

/** Throws MalformedMessage for a public key that no honest agent has (one of the points of low order). */
export function derivePairKey(own: KeyPair, peerPublicKey: Buffer, clusterKey: Buffer | null): Buffer {
  const shared = agree(own.privateKey, peerPublicKey);
  const ordered = [own.publicKey, peerPublicKey].sort((a, b) => a.compare(b));
  return hkdf(shared, clusterKey ?? EMPTY, ['migrun pair', ...ordered]);
}

export function deriveSendingKey(pairKey: Buffer, senderPublicKey: Buffer): Buffer {
  return hkdf(pairKey, EMPTY, ['from', senderPublicKey]);
}

export function deriveMoveKey(pairKey: Buffer, migration: string, sourcePublicKey: Buffer): Buffer {
  const salt = Buffer.from(migration, 'hex');
  if (salt.length !== ID_BYTES) throw new RangeError(`not a migration id: ${migration}`);
  return hkdf(pairKey, salt, ['move', sourcePublicKey]);
}

export function deriveRoleKey(moveKey: Buffer, role: Exclude<MoveRole, 'target'>): Buffer {
  return hkdf(moveKey, EMPTY, [`move ${role}`]);
}

export function deriveTargetKey(moveKey: Buffer, target: string): Buffer {
  return hkdf(moveKey, EMPTY, ['move target', Buffer.from(target, 'hex')]);
}

/** HMAC-SHA256, cut to 16 bytes. Every part goes in with its length, so that no two lists give the same input. */
export function mac(key: Buffer, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(lengthPrefix(part)).update(part);
  return hmac.digest().subarray(0, MAC_BYTES);
}

export function macMatches(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

function agree(privateKey: KeyObject, peerPublicKey: Buffer): Buffer {
  if (peerPublicKey.length !== PUBLIC_KEY_BYTES) throw new MalformedMessage('public key length');
  const spki = Buffer.concat([SPKI_PREFIX, peerPublicKey]);
  try {
    return diffieHellman({ privateKey, publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }) });
  } catch {
    throw new MalformedMessage('public key that gives no secret');
  }
}

function hkdf(secret: Buffer, salt: Buffer, info: readonly (string | Buffer)[]): Buffer {
  const joined = Buffer.concat(info.flatMap((piece) => {
    const bytes = Buffer.from(piece as string);
    return [lengthPrefix(bytes), bytes];
  }));
  return Buffer.from(hkdfSync('sha256', secret, salt, joined, KEY_BYTES));
}

function lengthPrefix(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(bytes.length);
  return prefix;
}
