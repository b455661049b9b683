/** Connections out of accept queues that one process holds for another. */
import { native } from '../native/index';
import type { KeptConnection } from '../protocol/control/index';
import { Pidfds } from './pidfds';

/** The same connections with descriptors of this process. Throws where that process has not got all of them. */
export function takeConnections(pid: number, connections: readonly KeptConnection[]): KeptConnection[] {
  const pidfds = new Pidfds(native);
  const taken: KeptConnection[] = [];
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
