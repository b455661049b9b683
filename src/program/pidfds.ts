/** Taking descriptors out of processes: one pidfd for each, however many of its descriptors are taken. */

import { type Native, native } from '../native/index';
import type { EntrustedConnection } from '../protocol/control/index';

export class Pidfds {
  private readonly open = new Map<number, number>();

  /** Peering hands in its host's. */
  constructor(private readonly host: Pick<Native, 'processOpen' | 'processTakeFd' | 'closeFd'> = native) {}

  /** Our own descriptor of it. Throws what pidfd_open(2) and pidfd_getfd(2) do. */
  take(pid: number, fd: number): number {
    return this.host.processTakeFd(this.of(pid), fd);
  }

  close(): void {
    for (const pidfd of this.open.values()) this.host.closeFd(pidfd);
    this.open.clear();
  }

  private of(pid: number): number {
    const pidfd = this.open.get(pid) ?? this.host.processOpen(pid);
    this.open.set(pid, pidfd);
    return pidfd;
  }
}

/** Our own descriptor of a single one. Throws what `take` does. */
export function takeDescriptor(pid: number, fd: number): number {
  const pidfds = new Pidfds();
  try {
    return pidfds.take(pid, fd);
  } finally {
    pidfds.close();
  }
}

/**
 * Connections out of accept queues, from that process to this one: the same with descriptors of ours. Throws where that
 * process has not got all of them.
 */
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
