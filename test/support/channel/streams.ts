/** Two ends of a stream, over a UNIX socket as agent and supervisor have it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { bytesSchema, Channel } from '../../../src/protocol/channel';

export const schema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping'), number: z.int(), note: z.string().optional() }),
  z.object({ type: z.literal('pong'), number: z.int() }),
  z.object({ type: z.literal('blob'), bytes: bytesSchema }),
]);
export type TestMessage = z.infer<typeof schema>;

export interface StreamPair {
  readonly one: Socket;
  readonly other: Socket;
  close(): void;
}

export async function streamPair(): Promise<StreamPair> {
  const folder = mkdtempSync(join(tmpdir(), 'migrun-channel-'));
  const server = createServer();
  const path = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const one = connect(path);
  const other = await accepted;
  server.close();
  return {
    one,
    other,
    close: () => {
      one.destroy();
      other.destroy();
      rmSync(folder, { recursive: true });
    },
  };
}

export function channelOver(socket: Socket): Channel<TestMessage> {
  return new Channel<TestMessage>(socket, schema);
}
