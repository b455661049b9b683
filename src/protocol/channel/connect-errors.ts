/** What a failed connection means to whoever asked for it. */

import { MigrunError } from '../../errors';

const UNKNOWN = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAI_NODATA']);
const OTHER_KEY = new Set([
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY',
  'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
  'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR',
]);

export interface Target {
  readonly host: string;
  readonly port: number;
}

export function connectError({ host, port }: Target, cause: unknown): MigrunError {
  if (cause instanceof MigrunError) return cause;
  const code = codeOf(cause);
  const at = `${host}, port ${port}`;
  if (UNKNOWN.has(code)) {
    return new MigrunError('E_TARGET_UNKNOWN', `unknown host: ${host}`, {
      hint: 'give a name that resolves here, or an address',
      cause,
    });
  }
  if (code === 'ECONNREFUSED') {
    return new MigrunError('E_NO_AGENT', `no agent on ${at}`, { hint: `start one there: migrun agent`, cause });
  }
  if (OTHER_KEY.has(code)) {
    return new MigrunError('E_KEY', `${host} has another cluster key`, {
      hint: 'both hosts need the same key file; copy it from one to the other',
      cause,
    });
  }
  if (code.startsWith('ERR_SSL_')) {
    return new MigrunError('E_NO_AGENT', `what listens on ${at} is no agent of migrun`, { cause });
  }
  return new MigrunError('E_TARGET_UNREACHABLE', `cannot reach ${at}: ${reason(code, cause)}`, { cause });
}

export function timeoutError({ host, port }: Target, timeoutMs: number): MigrunError {
  return new MigrunError('E_TARGET_UNREACHABLE', `cannot reach ${host}, port ${port}: no answer in ${timeoutMs} ms`);
}

/** Of several addresses tried at once (AggregateError), the code is the first one's. */
function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
}

function reason(code: string, cause: unknown): string {
  switch (code) {
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route';
    case 'ETIMEDOUT':
      return 'no answer';
    case 'ECONNRESET':
      return 'it closed the connection';
    default:
      return cause instanceof Error && cause.message !== '' ? cause.message : code;
  }
}
