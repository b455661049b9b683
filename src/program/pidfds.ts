/** Taking descriptors out of processes: one pidfd for each, however many of its descriptors are taken. */
import { type Native, native as ofThisProcess } from '../native/index';

export class Pidfds {
  private readonly open = new Map<number, number>();

  /** Peering hands in its host's. */
  constructor(private readonly native: Pick<Native, 'processOpen' | 'processTakeFd' | 'closeFd'> = ofThisProcess) {}

  /** Our own descriptor of it. Throws what pidfd_open(2) and pidfd_getfd(2) do. */
  take(pid: number, fd: number): number {
    return this.native.processTakeFd(this.of(pid), fd);
  }

  close(): void {
    for (const pidfd of this.open.values()) this.native.closeFd(pidfd);
    this.open.clear();
  }

  private of(pid: number): number {
    const pidfd = this.open.get(pid) ?? this.native.processOpen(pid);
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
