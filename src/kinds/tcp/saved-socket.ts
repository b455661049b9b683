/** A TCP connection's state on the wire (SavedSocket of src/native), and how it is read. */
import { z } from 'zod';
import type { Logger } from '../../log';
import { native, type ProgramSocket, type SavedSocket } from '../../native/index';
import { bytesSchema } from '../../protocol/channel/index';
import { endpoint, sequence } from '../../protocol/control/index';
import { connectionName, connectionText } from '../../vocabulary/endpoint';
import { refusal } from '../../vocabulary/refusal';
import { INET_FAMILIES } from '../../vocabulary/sockets';
import { reasonOfObstacle } from '../sockets/obstacles';

export const addressFamily = z.int().refine((family) => INET_FAMILIES.includes(family));

export const savedSocket = z.object({
  family: addressFamily,
  state: z.int().min(1).max(12),
  local: endpoint,
  remote: endpoint,
  sndUna: sequence,
  rcvNxt: sequence,
  finSent: z.boolean(),
  finReceived: z.boolean(),
  sendQueue: bytesSchema,
  receiveQueue: bytesSchema,
  options: z.int().min(0).max(255),
  sndWscale: z.int().min(0).max(14),
  rcvWscale: z.int().min(0).max(14),
  mssClamp: z.int().min(0).max(65535),
  reuseAddress: z.boolean(),
  timestamp: sequence,
  window: z.object({ sndWl1: sequence, sndWnd: sequence, maxWindow: sequence, rcvWnd: sequence, rcvWup: sequence }),
}) satisfies z.ZodType<SavedSocket>;

const end = { address: '::', port: 1 };
export const practiceSocket: SavedSocket = {
  family: 10,
  state: 1,
  local: end,
  remote: end,
  sndUna: 0,
  rcvNxt: 0,
  finSent: false,
  finReceived: false,
  sendQueue: Buffer.alloc(1),
  receiveQueue: Buffer.alloc(1),
  options: 0,
  sndWscale: 0,
  rcvWscale: 0,
  mssClamp: 0,
  reuseAddress: false,
  timestamp: 0,
  window: { sndWl1: 0, sndWnd: 0, maxWindow: 0, rcvWnd: 0, rcvWup: 0 },
};

/**
 * Saves the connections and leaves them in TCP_REPAIR. Throws E_URGENT_DATA: only this finds urgent data that came too
 * late for the preflight.
 */
export function saveConnections(connections: readonly ProgramSocket[]): SavedSocket[] {
  try {
    return native.tcpSave(connections.map(({ fd }) => fd));
  } catch (error) {
    const { code, index } = error as { code?: string; index?: number };
    const connection = connections[index ?? 0];
    if (code !== 'EOPNOTSUPP' || connection === undefined) throw error;
    throw refusal([reasonOfObstacle('urgent-data', connectionText(connection))]);
  }
}

/** A connection on its way, and our descriptor of its socket at the source, in TCP_REPAIR. */
interface LeavingConnection {
  readonly fd: number;
  readonly saved: SavedSocket;
  readonly peerHas: number;
}

/**
 * A peer that only listens would wait for ever for what now comes from another address. So the source's socket is made
 * such that its end, the death of the source's copy, resets the connection: it goes on from what the peer has, with a
 * byte that nobody has read (tcp_close() in net/ipv4/tcp.c; RFC 2525, 2.17). `lost` are names; gives the descriptors
 * that are so now, which are not to be closed silently.
 */
export function armResets(all: readonly LeavingConnection[], lost: ReadonlySet<string>, log: Logger): Set<number> {
  const armed = new Set<number>();
  for (const { fd, saved, peerHas } of all) {
    const { local, remote } = saved;
    if (!lost.has(connectionName({ local, remote }))) continue;
    const unread = { sendQueue: Buffer.alloc(0), receiveQueue: Buffer.alloc(1), finSent: false };
    try {
      native.tcpRevive([{ fd, saved: { ...saved, ...unread, sndUna: peerHas }, local, remote, peerHas }], false);
      armed.add(fd);
    } catch (error) {
      log.warn({ err: error }, 'a peer that is lost is not told');
    }
  }
  return armed;
}
