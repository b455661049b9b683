/** The descriptors of a program that CRIU has restored, found by the places that the source found them at. */
import { MigrunError } from '../errors';
import { native } from '../native/index';
import type { Place } from '../vocabulary/place';
import { Pidfds } from './pidfds';
import { innerPids } from './pod';

export class RestoredDescriptors {
  private readonly pids: Map<number, number>;
  private readonly pidfds = new Pidfds();
  private readonly taken = new Map<string, number>();

  constructor(cgroup: string) {
    this.pids = new Map([...innerPids(cgroup)].map(([pid, inner]) => [inner, pid]));
  }

  /** A descriptor of ours, the same each time; undefined: its process is not there, it was killed meanwhile. */
  find({ innerPid: inner, fd }: Place): number | undefined {
    const name = `${inner} ${fd}`;
    const known = this.taken.get(name);
    const pid = this.pids.get(inner);
    if (known !== undefined || pid === undefined) return known;
    const own = this.pidfds.take(pid, fd);
    this.taken.set(name, own);
    return own;
  }

  /** As `find`; throws E_IMAGE where its process is not there. */
  at(place: Place): number {
    const fd = this.find(place);
    if (fd === undefined) throw new MigrunError('E_IMAGE', 'a socket belongs to a process that was not restored');
    return fd;
  }

  pidOf({ innerPid: inner }: Pick<Place, 'innerPid'>): number | undefined {
    return this.pids.get(inner);
  }

  /** All but `kept`, which the next close takes. */
  close(kept: readonly number[] = []): void {
    for (const [name, fd] of this.taken) {
      if (kept.includes(fd)) continue;
      native.closeFd(fd);
      this.taken.delete(name);
    }
    this.pidfds.close();
  }

  /** Where we hold the last references, nobody hears of the sockets' end. */
  closeSilently(): void {
    native.tcpCloseSilently([...this.taken.values()]);
    this.taken.clear();
    this.close();
  }
}
