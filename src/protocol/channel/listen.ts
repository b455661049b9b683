/** The agent's door for other hosts. */

import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { MigrunError } from '../../errors';
import { HANDSHAKE_TIMEOUT_MS, KEEP_ALIVE_MS } from '../../times';
import { Channel } from './channel';
import { presharedKey } from './cluster-key';
import type { TypedMessage } from './envelope';
import { type ChannelHello, exchangeHello, type Identity } from './hello';
import { TLS_OPTIONS } from './tls-options';

/** So many connections may be open that have not shown the key; more are closed at once. */
const MAX_STRANGERS = 64;

export interface Arrived<Message extends TypedMessage> {
  readonly channel: Channel<Message>;
  readonly hello: ChannelHello;
  readonly remoteAddress: string;
  readonly localAddress: string;
}

export interface ListenOptions<Message extends TypedMessage> {
  /** 0: any free one. */
  readonly port: number;
  /** The address to listen on; all where not given. */
  readonly host?: string;
  /** The cluster key, 32 bytes. */
  readonly key: Buffer;
  readonly identity: Identity;
  readonly schema: z.ZodType<Message>;
  readonly onChannel: (arrived: Arrived<Message>) => void;
  /** Called for somebody who had no key, spoke something else, or took too long. */
  readonly onRefused?: (remoteAddress: string, reason: string) => void;
  readonly handshakeTimeoutMs?: number;
  readonly maxStrangers?: number;
}

export interface Listener {
  readonly port: number;
  /** No more arrivals, and none half-way; channels that were handed out go on. */
  close(): void;
}

/** Throws E_LISTEN. */
export async function listen<Message extends TypedMessage>(options: ListenOptions<Message>): Promise<Listener> {
  const strangers = new Strangers(options.maxStrangers ?? MAX_STRANGERS);
  const timeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
  const tls = tlsServer(options.key, timeoutMs);
  const refused = (socket: Socket, error: unknown) =>
    options.onRefused?.(socket.remoteAddress ?? '', error instanceof Error ? error.message : String(error));

  tls.on('tlsClientError', (error, socket) => refused(socket, error));
  tls.on('secureConnection', (socket) => {
    welcome(socket, options).then((arrived) => {
      strangers.release(socket);
      options.onChannel(arrived);
    }, (error: unknown) => {
      refused(socket, error);
      // Not destroyed: our hello must get there, for the other side to see what is wrong.
      socket.end();
    });
  });

  const door = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  door.on('connection', (socket) => {
    if (strangers.admit(socket, timeoutMs)) tls.emit('connection', socket);
    else refused(socket, 'too many connections without the key');
  });
  await opened(door, options);
  door.on('error', (error) => options.onRefused?.('', error.message));
  return {
    port: (door.address() as AddressInfo).port,
    close: () => {
      door.close();
      strangers.dismiss();
    },
  };
}

/** Connections that have not shown the key yet, each with its deadline. */
class Strangers {
  private readonly sockets = new Map<string, { socket: Socket; timer: NodeJS.Timeout }>();

  constructor(private readonly limit: number) {}

  /** Gives false where there are too many; then the socket is closed. */
  admit(socket: Socket, timeoutMs: number): boolean {
    if (this.sockets.size >= this.limit) {
      socket.destroy();
      return false;
    }
    // A closed socket has no address any more.
    const name = nameOf(socket);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    this.sockets.set(name, { socket, timer });
    socket.once('close', () => {
      if (this.sockets.get(name)?.socket === socket) this.drop(name);
    });
    return true;
  }

  /** Finds the socket by its address: TLS has wrapped it in one of its own. */
  release(socket: Socket): void {
    this.drop(nameOf(socket));
  }

  dismiss(): void {
    for (const { socket } of this.sockets.values()) socket.destroy();
  }

  private drop(name: string): void {
    clearTimeout(this.sockets.get(name)?.timer);
    this.sockets.delete(name);
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function tlsServer(key: Buffer, timeoutMs: number) {
  const { identity, psk } = presharedKey(key);
  const known = Buffer.from(identity);
  return createTlsServer({
    ...TLS_OPTIONS,
    handshakeTimeout: timeoutMs,
    pskCallback: (_socket, given) => {
      const name = Buffer.from(given);
      return name.length === known.length && timingSafeEqual(name, known) ? psk : null;
    },
  });
}

async function welcome<Message extends TypedMessage>(
  socket: TLSSocket,
  { identity, schema }: ListenOptions<Message>,
): Promise<Arrived<Message>> {
  socket.on('error', () => socket.destroy());
  const hello = await exchangeHello(socket, identity);
  const { remoteAddress = '', localAddress = '' } = socket;
  return { channel: new Channel(socket, schema), hello, remoteAddress, localAddress };
}

async function opened<Message extends TypedMessage>(
  door: ReturnType<typeof createServer>,
  { port, host }: ListenOptions<Message>,
): Promise<void> {
  door.listen({ port, ...(host === undefined ? {} : { host }) });
  await once(door, 'listening').catch((cause: Error) => {
    const where = host === undefined ? `port ${port}` : `${host}, port ${port}`;
    throw new MigrunError('E_LISTEN', `cannot listen on ${where}: ${cause.message}`, { cause });
  });
}
