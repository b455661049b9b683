/** Connects to the agent of another host: TCP, TLS by the cluster key, a hello in both directions. */

import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { MigrunError } from '../../errors';
import { CONNECT_TIMEOUT_MS, KEEP_ALIVE_MS } from '../../times';
import { presharedKey, TLS_OPTIONS } from './cluster-key';
import type { TypedMessage } from './frames';
import { type Connected, greet, type Identity } from './hello';

const UNKNOWN = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAI_NODATA']);
const OTHER_KEY = new Set([
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY',
  'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
  'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR',
]);

interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ConnectOptions<Message extends TypedMessage> extends Target {
  /** The cluster key, 32 bytes. */
  readonly key: Buffer;
  readonly identity: Identity;
  readonly schema: z.ZodType<Message>;
  /** Limits all of it, from the look-up to the other's hello. */
  readonly timeoutMs?: number;
}

/** Throws E_TARGET_UNKNOWN, E_TARGET_UNREACHABLE, E_NO_AGENT, E_KEY, E_VERSION, E_PROTOCOL. */
export async function connect<
  Message extends TypedMessage,
>(options: ConnectOptions<Message>): Promise<Connected<Message>> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const socket = openSocket(options);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(timeoutError(options, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([secured(socket).then(() => greet(socket, options.identity, options.schema)), timeout]);
  } catch (error) {
    socket.destroy();
    throw connectError(options, error);
  } finally {
    clearTimeout(timer);
  }
}

function openSocket<Message extends TypedMessage>({ host, port, key }: ConnectOptions<Message>): TLSSocket {
  const psk = presharedKey(key);
  const socket = tlsConnect({
    ...TLS_OPTIONS,
    host,
    port,
    pskCallback: () => psk,
    // No certificates: the handshake itself has proved the key.
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.on('error', reject);
  });
}

/** What a failed connection means to whoever asked for it. */
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

function timeoutError({ host, port }: Target, timeoutMs: number): MigrunError {
  return new MigrunError('E_TARGET_UNREACHABLE', `cannot reach ${host}, port ${port}: no answer in ${timeoutMs} ms`);
}

/** Where several addresses were tried at once (AggregateError), it has the code of the first one. */
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
