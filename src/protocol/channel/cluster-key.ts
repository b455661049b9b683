/**
 * The cluster key: 32 random bytes that all hosts which may send each other programs have in a file, as hex or base64.
 * Nothing is ever encrypted or authenticated by it directly; each use derives a key of its own.
 */

import { constants as cryptoConstants, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { MigrunError } from '../../errors';

const KEY_BYTES = 32;
/** A longer file is no key file. */
const MAX_FILE_BYTES = 256;
const READABLE_BY_OTHERS = 0o077;

export function generateClusterKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** Names a key, and tells nothing about it. */
export function clusterKeyId(key: Buffer): string {
  return createHash('sha256').update('migrun cluster key id').update(key).digest('hex').slice(0, 16);
}

/** Reads hex or base64; gives null where it is neither, or not 32 bytes. */
function parseClusterKey(text: string): Buffer | null {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(trimmed)) return Buffer.from(trimmed, 'base64');
  return null;
}

/** Throws E_NO_KEY where there is no file, E_KEY_FILE where it is not to be trusted or not a key. */
export function readClusterKey(path: string): Buffer {
  const fd = openKeyFile(path);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) throw keyFileError(path, 'is not a key file');
    if ((stat.mode & READABLE_BY_OTHERS) !== 0) {
      throw keyFileError(path, 'may be read or changed by others', `chmod 600 ${path}`);
    }
    if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) throw keyFileError(path, 'belongs to another user');
    const key = parseClusterKey(readFileSync(fd, 'latin1'));
    if (key === null) throw keyFileError(path, 'holds no key of 32 bytes in hex or base64');
    return key;
  } finally {
    closeSync(fd);
  }
}

/** Writes a new file, mode 0600. Throws E_KEY_FILE where one is there already. */
export function writeClusterKey(path: string, key: Buffer = generateClusterKey()): void {
  if (key.length !== KEY_BYTES) throw new RangeError(`a cluster key of ${key.length} bytes`);
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    throw keyFileError(path, exists ? 'exists already' : 'cannot be written', undefined, cause);
  }
  try {
    writeSync(fd, `${key.toString('hex')}\n`);
  } finally {
    closeSync(fd);
  }
}

/** What TLS works with: the identity goes over the wire in clear. */
export function presharedKey(clusterKey: Buffer): { identity: string; psk: Buffer } {
  const psk = Buffer.from(hkdfSync('sha256', clusterKey, Buffer.alloc(0), 'migrun tls psk', KEY_BYTES));
  return { identity: `migrun ${clusterKeyId(clusterKey)}`, psk };
}

function openKeyFile(path: string): number {
  try {
    // Opening what is not a file (a FIFO) must not block.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new MigrunError('E_NO_KEY', `no cluster key: ${path} does not exist`, {
        hint: 'make one with `migrun keygen` and copy it to every host',
        cause,
      });
    }
    throw keyFileError(path, 'cannot be read', undefined, cause);
  }
}

function keyFileError(path: string, problem: string, hint?: string, cause?: unknown): MigrunError {
  return new MigrunError('E_KEY_FILE', `key file ${path} ${problem}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

/**
 * TLS by the cluster key alone, no certificates: both sides prove that they have it before anything else is said.
 * TLS 1.2 because that is where Node supports pre-shared keys; the one ECDHE-PSK suite of OpenSSL with an AEAD cipher,
 * so that what was recorded stays secret even when the key is lost later.
 */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  secureOptions: cryptoConstants.SSL_OP_NO_TICKET | cryptoConstants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;
