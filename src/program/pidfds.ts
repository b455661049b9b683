/** Our own descriptors of what other processes have open, by pidfd_getfd(2). They are the caller's to close. */
import { type Native, native } from '../native/index';

/** Takes descriptors out of processes, with one pidfd for each process, however many of its descriptors are taken. */
export class Pidfds {
  private readonly open = new Map<number, number>();

  constructor(private readonly addon: Pick<Native, 'pidfdOpen' | 'pidfdGetfd' | 'closeFd'> = native) {}

  /** Throws what pidfd_open(2) and pidfd_getfd(2) do. */
  take(pid: number, fd: number): number {
    return this.addon.pidfdGetfd(this.of(pid), fd);
  }

  close(): void {
    for (const pidfd of this.open.values()) this.addon.closeFd(pidfd);
    this.open.clear();
  }

  private of(pid: number): number {
    const pidfd = this.open.get(pid) ?? this.addon.pidfdOpen(pid);
    this.open.set(pid, pidfd);
    return pidfd;
  }
}

/** Takes a single one. Throws what `take` does. */
export function takeDescriptor(pid: number, fd: number): number {
  const pidfds = new Pidfds();
  try {
    return pidfds.take(pid, fd);
  } finally {
    pidfds.close();
  }
}
