/** To the agent of another host. */

import type { LookupFunction } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { Channel } from './channel';
import { presharedKey } from './cluster-key';
import { connectError, timeoutError } from './connect-errors';
import type { TypedMessage } from './envelope';
import { type ChannelHello, exchangeHello, type Identity } from './hello';
import { KEEP_ALIVE_MS, TLS_OPTIONS } from './tls-options';

const CONNECT_TIMEOUT_MS = 5000;

export interface ConnectOptions<Message extends TypedMessage> {
  readonly host: string;
  readonly port: number;
  /** The cluster key, 32 bytes. */
  readonly key: Buffer;
  readonly identity: Identity;
  readonly schema: z.ZodType<Message>;
  /** For all of it, from the look-up to the other's hello. */
  readonly timeoutMs?: number;
  readonly lookup?: LookupFunction;
}

export interface Connected<Message extends TypedMessage> {
  readonly channel: Channel<Message>;
  readonly hello: ChannelHello;
  /** The address that was reached, and ours towards it. */
  readonly remoteAddress: string;
  readonly localAddress: string;
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
    const hello = await Promise.race([greet(socket, options.identity), timeout]);
    const { remoteAddress = '', localAddress = '' } = socket;
    return { channel: new Channel(socket, options.schema), hello, remoteAddress, localAddress };
  } catch (error) {
    socket.destroy();
    throw connectError(options, error);
  } finally {
    clearTimeout(timer);
  }
}

function openSocket<Message extends TypedMessage>({ host, port, key, lookup }: ConnectOptions<Message>): TLSSocket {
  const psk = presharedKey(key);
  const socket = tlsConnect({
    ...TLS_OPTIONS,
    host,
    port,
    ...(lookup === undefined ? {} : { lookup }),
    pskCallback: () => psk,
    // No certificates: the handshake itself has proved the key.
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

async function greet(socket: TLSSocket, identity: Identity): Promise<ChannelHello> {
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.on('error', reject);
  });
  return exchangeHello(socket, identity);
}
