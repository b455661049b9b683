/** The program that is to leave, from its freeze on: it stands still, and nothing reaches its sockets. */
import type { Frozen, Waiting } from '../../kinds/kind';
import type { MovingProgram } from '../../kinds/program';
import { native, type ProgramSocket } from '../../native/index';
import { freezeProgram, innerPids, pidsOf, thawProgram } from '../../program/pod';
import { FREEZE_TIMEOUT_MS } from '../../times';
import type { Place } from '../../vocabulary/place';
import { isConnecting, isConnection, TCP_LISTEN } from '../../vocabulary/sockets';

export class FrozenProgram implements Frozen {
  innerPids: ReadonlyMap<number, number> = new Map();
  sockets: readonly ProgramSocket[] = [];
  waiting: readonly Waiting[] = [];
  /** When it was frozen; by performance.now(). */
  frozenAt = 0;
  private isFrozen = false;
  /** Our descriptors of the sockets that are locked: connections, those to be, and listeners. */
  private readonly locked = new Set<number>();
  private leaseMs = 0;
  /** Our locks have leases; not while CRIU dumps, and no more from the commit on. */
  private isLeased = false;

  constructor(private readonly program: Pick<MovingProgram, 'cgroup' | 'registry'>) {}

  get cgroup(): string {
    return this.program.cgroup;
  }

  /** Throws where it does not stand still in time; it runs on then. */
  freeze(): void {
    this.frozenAt = performance.now();
    freezeProgram(this.program.cgroup, this.program.registry, FREEZE_TIMEOUT_MS);
    this.isFrozen = true;
  }

  thaw(): void {
    if (this.isFrozen) thawProgram(this.program.cgroup, this.program.registry);
    this.isFrozen = false;
  }

  /** Gets hold of its inet sockets: from here on nothing reaches them, for this long where the lease is not renewed. */
  takeSockets(leaseMs: number): void {
    this.sockets = native.socketCollect(pidsOf(this.cgroup));
    this.innerPids = innerPids(this.cgroup);
    this.leaseMs = leaseMs;
    this.isLeased = true;
    this.lock(this.sockets.filter(isReached).map(({ fd }) => fd));
    this.sockets = asLocked(this.sockets);
    this.unlock(this.sockets.filter((socket) => this.locked.has(socket.fd) && !isReached(socket)).map(({ fd }) => fd));
  }

  placeOf({ pid, pfd }: ProgramSocket): Place {
    return { innerPid: this.innerPids.get(pid) ?? 0, fd: pfd };
  }

  lock(fds: readonly number[]): void {
    for (const fd of fds) this.locked.add(fd);
    native.socketLock(fds, this.isLeased ? this.leaseMs : 0);
  }

  unlock(fds: readonly number[]): void {
    for (const fd of fds) this.locked.delete(fd);
    native.socketUnlock(fds);
  }

  /** Our locks end by themselves again. */
  lease(): void {
    this.isLeased = true;
    this.renew();
  }

  renew(): void {
    if (this.isLeased) native.socketLock([...this.locked], this.leaseMs);
  }

  /** Our locks end with their leases, where they are not undone before. */
  stopRenewing(): void {
    this.isLeased = false;
  }

  /** Our locks last until somebody unlocks. */
  endLease(): void {
    this.isLeased = false;
    native.socketLock([...this.locked], 0);
  }

  /** Undoes `takeSockets`. */
  putBack(): void {
    const fds = this.sockets.map(({ fd }) => fd);
    try {
      native.socketUnlock(fds.filter((fd) => this.locked.has(fd)));
    } finally {
      for (const fd of fds) native.closeFd(fd);
      this.locked.clear();
      this.sockets = [];
    }
  }

  /** Closes our descriptors of all that it has, these without a word. */
  close(silent: ReadonlySet<number>): void {
    native.tcpCloseSilently([...silent]);
    const all = [...this.sockets, ...this.waiting.map(({ socket }) => socket)];
    for (const { fd } of all) if (!silent.has(fd)) native.closeFd(fd);
  }
}

/** A segment can change what it is. */
function isReached(socket: ProgramSocket): boolean {
  return isConnection(socket) || isConnecting(socket) || socket.state === TCP_LISTEN;
}

/** What arrived between the look and the lock may have opened or ended a connection. */
function asLocked(sockets: readonly ProgramSocket[]): ProgramSocket[] {
  const states = native.socketTcpStates(sockets.map(({ fd }) => fd));
  return sockets.map((socket, index) => {
    if (states[index] === socket.state) return socket;
    const { pid, pfd } = socket;
    return { ...native.socketDescribe(socket.fd), pid, pfd };
  });
}
