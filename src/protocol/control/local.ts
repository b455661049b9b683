/** Channels over UNIX sockets that only root can open. */
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { asMigrunError, MigrunError } from '../../errors';
import { Channel, type IncomingMessage, type TypedMessage } from '../channel/index';

/** The longest path of a UNIX socket (unix(7)). Node cuts a longer one off without a word. */
const MAX_PATH_BYTES = 107;

/** Throws E_NOT_RUNNING where nobody listens. */
export async function connectLocal<Message extends TypedMessage>(
  path: string,
  schema: z.ZodType<Message>,
  who: string,
): Promise<Channel<Message>> {
  const socket = connect({ path });
  await once(socket, 'connect').catch((cause: Error) => {
    throw new MigrunError('E_NOT_RUNNING', `${who} does not answer at ${path}: ${cause.message}`, { cause });
  });
  return new Channel(socket, schema);
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
  const server = createServer((socket) => onChannel(new Channel(socket, schema)));
  await listening(server, path).catch((cause: Error) => {
    throw new MigrunError('E_LISTEN', `cannot listen on ${path}: ${cause.message}`, { cause });
  });
  chmodSync(path, 0o600);
  return server;
}

/**
 * Listens on an abstract name, which starts with a NUL byte. Such a name belongs to the network namespace (unix(7)),
 * one process can have it, and has it until it ends. undefined: another process has it.
 */
export async function bindAbstract(name: string): Promise<Server | undefined> {
  const server = createServer();
  try {
    return await listening(server, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

async function listening(server: Server, path: string): Promise<Server> {
  await once(server.listen(path), 'listening');
  return server.on('error', () => undefined); // a connection could not be accepted; the next one may be
}

/** Takes messages, and the data between them, until the channel ends. What `handle` throws is the answer. */
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
