/** Connections out of accept queues, from one process to another. */
import { native } from '../native/index';
import type { EntrustedConnection } from '../protocol/control/index';
import { Pidfds } from './pidfds';

/** The same connections with descriptors of this process. Throws where that process has not got all of them. */
export function takeConnections(pid: number, connections: readonly EntrustedConnection[]): EntrustedConnection[] {
  const pidfds = new Pidfds();
  const taken: EntrustedConnection[] = [];
  try {
    for (const connection of connections) taken.push({ ...connection, fd: pidfds.take(pid, connection.fd) });
    return taken;
  } catch (error) {
    for (const { fd } of taken) native.closeFd(fd);
    throw error;
  } finally {
    pidfds.close();
  }
}
