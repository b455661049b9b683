/** Taking descriptors out of processes: one pidfd for each, however many of its descriptors are taken. */
import type { Native } from '../native/index';

export class Pidfds {
  private readonly open = new Map<number, number>();

  constructor(private readonly native: Pick<Native, 'processOpen' | 'processTakeFd' | 'closeFd'>) {}

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
