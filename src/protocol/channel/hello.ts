/** The first message in both directions: which protocol, which version, which host. */

import type { Socket } from 'node:net';
import { z } from 'zod';
import { MigrunError } from '../../errors';
import { Channel } from './channel';
import { decodeEnvelope, encodeEnvelope, FrameReader, parseOrRefuse, protocolError, type TypedMessage,
  writeFrame } from './frames';

/** Numbers the protocol between hosts. It is raised when an older agent would misunderstand. */
export const CHANNEL_PROTOCOL = 2;

/** Other fields may be added without another protocol number. */
export const helloSchema = z.object({
  type: z.literal('hello'),
  protocol: z.int().min(0),
  version: z.string().max(64),
  host: z.string().max(255),
});

export type ChannelHello = z.infer<typeof helloSchema>;

/** Who we are, to the other side. */
export interface Identity {
  /** migrun's, as in package.json. */
  readonly version: string;
  readonly host: string;
}

/** A channel to another host that has shown the cluster key. */
export interface Connected<Message extends TypedMessage> {
  readonly channel: Channel<Message>;
  readonly hello: ChannelHello;
  /** The other host's address, and ours towards it. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

/** Sends our hello and reads the other's; then the connection is a channel. Throws E_VERSION, or E_PROTOCOL. */
export async function greet<Message extends TypedMessage>(
  socket: Socket,
  own: Identity,
  schema: z.ZodType<Message>,
): Promise<Connected<Message>> {
  const ours: ChannelHello = { type: 'hello', protocol: CHANNEL_PROTOCOL, ...own };
  writeFrame(socket, { kind: 'message', payload: encodeEnvelope({ kind: 'plain', id: 0, message: ours }) });
  const reader = new FrameReader(socket);
  const frame = await reader.next();
  reader.release();
  if (frame?.kind !== 'message') throw protocolError('no hello');
  const hello = parseOrRefuse(helloSchema, decodeEnvelope(frame.payload).message, 'hello');
  if (hello.protocol !== CHANNEL_PROTOCOL) throw otherVersion(hello, own);
  const { remoteAddress = '', localAddress = '' } = socket;
  return { channel: new Channel(socket, schema), hello, remoteAddress, localAddress };
}

function otherVersion(theirs: ChannelHello, own: Identity): MigrunError {
  const older = theirs.protocol < CHANNEL_PROTOCOL ? theirs.host : own.host;
  const detail = `${theirs.version} with protocol ${theirs.protocol}, ours is ${own.version} with ${CHANNEL_PROTOCOL}`;
  return new MigrunError('E_VERSION', `${theirs.host} has another version of migrun: ${detail}`, {
    hint: `bring migrun on ${older} up to date`,
  });
}
