/** Connections go into the queue of a listening socket: at the target, or where they came from. */
import { ownCgroup } from '../../config';
import { MigrunError } from '../../errors';
import { native, type QueuedSocket, type SavedSocket } from '../../native/index';
import { type Connection, connectionName, endpointText } from '../../vocabulary/endpoint';
import { isConnection } from '../../vocabulary/sockets';

export interface QueueEntry {
  readonly saved: SavedSocket;
  readonly receiveBuffer: number;
  /** Our descriptor of the listening socket, which is locked, and stays so. */
  readonly listener: number;
  /** Its ends as they are now; undefined: as they were. */
  readonly ends: Connection | undefined;
  /** Its peer does not move. */
  readonly peerStays: boolean;
}

const HINTS: Record<string, string> = {
  ENOSPC: 'raise net.core.somaxconn there',
  EPROTO: 'do net.ipv4.tcp_timestamps, tcp_sack and tcp_window_scaling differ between the hosts?',
  ETIMEDOUT: 'does a firewall drop what that host says to itself?',
};

/**
 * Fills in order, up to the first entry that fails, with E_ACCEPT_QUEUE. `pod` is the cgroup of the listening sockets.
 */
export function fillQueues(entries: readonly QueueEntry[], pod: string): { count: number; failure?: MigrunError } {
  try {
    native.acceptQueueFill(
      entries.map(({ ends, saved, listener, receiveBuffer, peerStays }) => {
        const { local, remote } = ends ?? saved;
        return { listener, saved, local, remote, receiveBuffer, peerStays };
      }),
      pod,
      ownCgroup(),
    );
    return { count: entries.length };
  } catch (cause) {
    const { code = '', message, index: count = 0 } = cause as { code?: string; message: string; index?: number };
    const where = endpointText((entries[count] as QueueEntry).saved.local);
    const text = `a connection that waits at ${where} does not go into an accept queue again: ${message}`;
    const hint = HINTS[code] ?? 'its log says more';
    return { count, failure: new MigrunError('E_ACCEPT_QUEUE', text, { hint, cause }) };
  }
}

/** A connection that was taken out of the queue of this listening socket; both descriptors are ours. */
export interface TakenOut {
  readonly socket: QueuedSocket;
  readonly listener: number;
}

/**
 * Locked sockets go back where they were; one that cannot is reset. `endTrust` makes the agent close those that were
 * entrusted to it. Throws the first failure, when all others are back.
 */
export async function putBackIntoQueues(
  waiting: readonly TakenOut[],
  pod: string,
  endTrust: () => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let entries = waiting.flatMap(({ socket, listener }): QueueEntry[] => {
    try {
      const [saved] = saveTaken([socket]);
      const { receiveBuffer } = socket;
      return [{ saved: saved as SavedSocket, receiveBuffer, listener, ends: undefined, peerStays: true }];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  await endTrust();
  const returning = new Set(entries.map(({ saved: { local, remote } }) => connectionName({ local, remote })));
  for (const { socket: { fd, local, remote } } of waiting) {
    if (returning.has(connectionName({ local, remote }))) native.tcpCloseSilently([fd]);
    else native.closeFd(fd);
  }
  while (entries.length > 0) {
    const { failure, count } = fillQueues(entries, pod);
    if (failure === undefined) break;
    failures.push(failure);
    entries = entries.slice(count + 1);
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Saves the sockets and leaves them in TCP_REPAIR. One that was reset meanwhile has no state to be read; it is made
 * again as such.
 */
export function saveTaken(sockets: readonly QueuedSocket[]): SavedSocket[] {
  const fds = sockets.filter(isConnection).map(({ fd }) => fd);
  const saved = new Map(native.tcpSave(fds).map((one, index) => [fds[index], one]));
  return sockets.map(({ fd, remote }) => saved.get(fd) ?? native.acceptQueueSaveReset(fd, remote));
}
