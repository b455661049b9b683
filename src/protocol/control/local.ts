/** Channels over UNIX sockets that only root can open. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { asMigrunError, MigrunError } from '../../errors';
import { Channel, type IncomingMessage, type TypedMessage } from '../channel/index';

/** The longest path of a UNIX socket (unix(7)). Node cuts a longer one off without a word. */
const MAX_PATH_BYTES = 107;

/** Throws E_NOT_RUNNING where nobody listens. */
export function connectLocal<Message extends TypedMessage>(
  path: string,
  schema: z.ZodType<Message>,
  who: string,
): Promise<Channel<Message>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once(
      'error',
      (cause) =>
        reject(new MigrunError('E_NOT_RUNNING', `${who} does not answer at ${path}: ${cause.message}`, { cause })),
    );
    socket.once('connect', () => resolve(new Channel(socket, schema)));
  });
}

/** Listens in a folder of mode 0700, on a socket of mode 0600. */
export async function listenLocal<Message extends TypedMessage>(
  path: string,
  schema: z.ZodType<Message>,
  onChannel: (channel: Channel<Message>) => void,
): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new MigrunError('E_LISTEN', `${path} is too long for a socket`, {
      hint: 'set MIGRUN_RUN_DIR to a shorter one',
    });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  chmodSync(dirname(path), 0o700);
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => onChannel(new Channel(socket, schema)));
    server.once(
      'error',
      (cause) => reject(new MigrunError('E_LISTEN', `cannot listen on ${path}: ${cause.message}`, { cause })),
    );
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}

/**
 * Listens on an abstract name, which starts with a NUL byte. Such a name belongs to the network namespace (unix(7)),
 * one process can have it, and has it until it ends. undefined: another process has it.
 */
export function bindAbstract(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });
}

/**
 * Takes messages, and the data between them, until the channel ends. Where `handle` throws, the request fails with
 * that.
 */
export async function serve<Message extends TypedMessage>(
  channel: Channel<Message>,
  handle: (incoming: IncomingMessage<Message>) => Promise<Message | void>,
  take?: (data: Buffer) => void,
): Promise<void> {
  for await (const incoming of channel) {
    if (incoming.kind === 'data') take?.(incoming.data);
    else void answer(incoming, handle);
  }
}

async function answer<Message extends TypedMessage>(
  incoming: IncomingMessage<Message>,
  handle: (incoming: IncomingMessage<Message>) => Promise<Message | void>,
): Promise<void> {
  try {
    const reply = await handle(incoming);
    if (incoming.wantsAnswer && reply !== undefined) await incoming.reply(reply);
  } catch (error) {
    if (incoming.wantsAnswer) await incoming.fail(asMigrunError(error)).catch(() => undefined);
  }
}

/** Narrows an answer to what was asked for. */
export function expectType<Message extends TypedMessage, Type extends Message['type']>(
  message: Message,
  type: Type,
): Extract<Message, { type: Type }> {
  if (message.type !== type) throw new MigrunError('E_PROTOCOL', `expected ${type}, got ${message.type}`);
  return message as Extract<Message, { type: Type }>;
}
