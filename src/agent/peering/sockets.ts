/** Other processes' sockets of this host: whose a connection is, and getting hold of it. */

import { readFileSync, readlinkSync } from 'node:fs';
import type { LookAround, Native, ProgramSocket } from '../../native/contract';
import { Pidfds } from '../../program/pidfds';
import type { Status } from '../../protocol/inband';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import { FIN_RECEIVED_STATES } from '../../vocabulary/sockets';
import type { LocalPrograms } from './types';

/** Where a socket was found last; to be checked at every use. */
export interface Owner {
  readonly pid: number;
  readonly fd: number;
}

export interface Wanted {
  readonly connection: Connection;
  /** Where it is looked for first. */
  readonly owner: Owner | null;
}

export interface Taken {
  /** Ours. */
  readonly fd: number;
  readonly inode: number;
  readonly owner: Owner;
}

export class Sockets {
  /** What the last look around found. */
  private seen: LookAround | null = null;

  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
  ) {}

  /** At most one look at all processes, for any number of connections; none where the last one found them. */
  locate(wanted: readonly Wanted[]): (Owner | Status)[] {
    const inodes = this.native.diagConnectionInodes(wanted.map(({ connection }) => connection));
    const owners = new Map<number, Owner>();
    wanted.forEach(({ owner }, index) => {
      const inode = inodes[index]!;
      if (inode !== null && owner !== null && holds(owner, inode)) owners.set(inode, owner);
    });
    const missing = (): number[] => inodes.filter((inode): inode is number => inode !== null && !owners.has(inode));
    this.addSeen(owners, missing());
    if (missing().length > 0) {
      this.seen = this.native.ownersLookAround();
      this.addSeen(owners, missing());
    }
    const refusals = new Refusals(this.programs);
    return wanted.map(({ connection }, index) => {
      const inode = inodes[index]!;
      if (inode === null) return this.whyNoInode(connection);
      const owner = owners.get(inode);
      return owner === undefined ? 'no-owner' : (refusals.of(owner.pid) ?? owner);
    });
  }

  private addSeen(owners: Map<number, Owner>, inodes: readonly number[]): void {
    for (const { inode, pid, fd } of inodes.length === 0 ? [] : (this.seen?.owners(inodes) ?? [])) {
      if (pid !== process.pid && !owners.has(inode)) owners.set(inode, { pid, fd });
    }
  }

  /** Descriptors of ours for these connections, which the caller closes. */
  take(wanted: readonly Wanted[]): (Taken | Status)[] {
    const pidfds = new Pidfds(this.native);
    const refusals = new Refusals(this.programs);
    const takeFrom = (owner: Owner, connection: Connection): Taken | Status =>
      refusals.of(owner.pid) ?? this.takeFrom(pidfds, owner, connection);
    try {
      const taken = wanted.map(({ owner, connection }) => (owner === null ? 'no-owner' : takeFrom(owner, connection)));
      const gone = [...taken.keys()].filter((index) => taken[index] === 'no-owner');
      const located = this.locate(gone.map((index) => wanted[index]!));
      gone.forEach((index, position) => {
        const owner = located[position]!;
        taken[index] = typeof owner === 'string' ? owner : takeFrom(owner, wanted[index]!.connection);
      });
      return taken;
    } finally {
      pidfds.close();
    }
  }

  /** What the program's kernel has received of a locked connection, a FIN not counted. null: the connection ended. */
  received(connection: Connection): number | null {
    const sequences = this.native.tcpSequences(connection);
    if (sequences === null) return null;
    return (sequences.rcvNxt - (FIN_RECEIVED_STATES.includes(sequences.state) ? 1 : 0)) >>> 0;
  }

  /** no-socket: the connection is not there; no-owner: it waits for accept(2), or its program has closed it. */
  private whyNoInode(connection: Connection): Status {
    return this.native.tcpSequences(connection) === null ? 'no-socket' : 'no-owner';
  }

  private takeFrom(pidfds: Pidfds, owner: Owner, connection: Connection): Taken | Status {
    let fd: number;
    try {
      fd = pidfds.take(owner.pid, owner.fd);
    } catch (error) {
      return (error as { code?: unknown }).code === 'EPERM' ? 'not-permitted' : 'no-owner';
    }
    const found = this.describe(fd);
    if (found !== null && connectionName(found) === connectionName(connection))
      return { fd, inode: found.inode, owner };
    this.native.closeFd(fd);
    return 'no-owner';
  }

  private describe(fd: number): ProgramSocket | null {
    try {
      return this.native.socketDescribe(fd);
    } catch {
      return null; // not a socket
    }
  }
}

/** Why a process must not be stopped; asked once for each. */
class Refusals {
  private readonly known = new Map<number, Status | null>();

  constructor(private readonly programs: LocalPrograms) {}

  of(pid: number): Status | null {
    const known = this.known.get(pid);
    if (known !== undefined) return known;
    const refusal = this.ask(pid);
    this.known.set(pid, refusal);
    return refusal;
  }

  private ask(pid: number): Status | null {
    if (this.programs.isMigrating(pid) || this.programs.isPaused(pid)) return 'busy';
    return this.programs.freezerOf(pid) === null && isTraced(pid) ? 'not-permitted' : null;
  }
}

function holds({ pid, fd }: Owner, inode: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
  } catch {
    return false; // it has ended, or closed it
  }
}

/** A debugger has it: nobody else can stop it (ptrace(2)). */
function isTraced(pid: number): boolean {
  try {
    return /^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false; // it has ended
  }
}
