/**
 * TLS by the cluster key alone, no certificates: both sides prove that they have it before anything else is said.
 * TLS 1.2 because that is where Node supports pre-shared keys; the one ECDHE-PSK suite of OpenSSL with an AEAD cipher,
 * so that what was recorded stays secret even when the key is lost later.
 */

import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

export const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;
