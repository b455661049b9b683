/**
 * What a restore needs beside CRIU's images, and nobody else may read: the keys that peers believe, the console's
 * token, the queues of the connections. A seal protects it, and a MAC the manifest, which has the hashes of all the
 * rest. Both keys come from the cluster key, so hosts that may send each other programs may restore them.
 */
import { decode, encode } from '@msgpack/msgpack';
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { decodeState, encodeState, type MovingState } from '../migration/state';
import { type Arrival, arrival } from '../protocol/control/index';

export interface Secrets {
  readonly arrival: Arrival;
  readonly state: MovingState;
}

const schema = z.object({ arrival, state: z.instanceof(Uint8Array) });

export function encodeSecrets({ arrival, state }: Secrets): Buffer {
  return Buffer.from(encode({ arrival, state: encodeState(state) }));
}

/** Throws where the bytes are those of another version. */
export function decodeSecrets(bytes: Buffer): Secrets {
  const { arrival, state } = schema.parse(decode(bytes));
  return { arrival, state: decodeState(Buffer.from(state)) };
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export function manifestMac(clusterKey: Buffer, manifest: Buffer): Buffer {
  return createHmac('sha256', derive(clusterKey, '', 'migrun checkpoint manifest')).update(manifest).digest();
}

export function isMacOf(mac: Buffer, clusterKey: Buffer, manifest: Buffer): boolean {
  const expected = manifestMac(clusterKey, manifest);
  return mac.length === expected.length && timingSafeEqual(mac, expected);
}

/** Seals with a key of this checkpoint alone; gives nonce, ciphertext and tag. */
export function sealSecrets(clusterKey: Buffer, checkpoint: string, secrets: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, secretsKey(clusterKey, checkpoint), nonce);
  return Buffer.concat([nonce, cipher.update(secrets), cipher.final(), cipher.getAuthTag()]);
}

/** Gives undefined where it was not sealed with this key for this checkpoint. */
export function openSecrets(clusterKey: Buffer, checkpoint: string, sealed: Buffer): Buffer | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, secretsKey(clusterKey, checkpoint), sealed.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const opened = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    return Buffer.concat([opened, decipher.final()]);
  } catch {
    return undefined;
  }
}

function secretsKey(clusterKey: Buffer, checkpoint: string): Buffer {
  return derive(clusterKey, checkpoint, 'migrun checkpoint secrets');
}

function derive(clusterKey: Buffer, salt: string, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', clusterKey, salt, use, KEY_BYTES));
}
