/** The sockets of a program that CRIU has restored, found by the places that the source found them at. */
import { native } from '../native/index';
import { innerPid, pidsOf } from '../program/pod';

/** Descriptor `fd` of the process whose pid in the program's own namespace is `innerPid`. */
export interface Place {
  readonly innerPid: number;
  readonly fd: number;
}

export class RestoredSockets {
  private readonly pidfds: Map<number, number>;
  private readonly taken = new Map<string, number>();

  constructor(cgroup: string) {
    this.pidfds = new Map(pidsOf(cgroup).map((pid) => [innerPid(pid), native.pidfdOpen(pid)]));
  }

  /** A descriptor of ours, the same each time; undefined: its process is not there, it was killed meanwhile. */
  find({ innerPid: inner, fd }: Place): number | undefined {
    const name = `${inner} ${fd}`;
    const known = this.taken.get(name);
    const pidfd = this.pidfds.get(inner);
    if (known !== undefined || pidfd === undefined) return known;
    const own = native.pidfdGetfd(pidfd, fd);
    this.taken.set(name, own);
    return own;
  }

  close(): void {
    for (const fd of [...this.taken.values(), ...this.pidfds.values()]) native.closeFd(fd);
    this.taken.clear();
    this.pidfds.clear();
  }

  /** Where we hold the last references, nobody hears of the sockets' end. */
  closeSilently(): void {
    native.closeSilently([...this.taken.values()]);
    this.taken.clear();
    this.close();
  }
}
