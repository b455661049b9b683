/** Other processes' sockets of this host: where a connection's is, and a descriptor of ours for it. */

import { readFileSync, readlinkSync } from 'node:fs';
import type { LookAround, ProgramSocket, SocketOwner } from '../../native/index';
import { Pidfds } from '../../program/pidfds';
import type { Status } from '../../protocol/inband';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import { FIN_RECEIVED_STATES } from '../../vocabulary/sockets';
import type { Host, LocalPrograms } from './host';

/** Where a socket was found last: a process and its descriptor. To be checked at every use. */
export interface Location {
  readonly pid: number;
  readonly fd: number;
}

interface Wanted {
  readonly connection: Connection;
  /** Where it is looked for first. */
  readonly location: Location | null;
}

/** A descriptor of ours of another process's socket. */
export interface OurDescriptor {
  readonly fd: number;
  readonly inode: number;
  /** Where it was found. */
  readonly location: Location;
}

export class Sockets {
  /** What the last look around found. */
  private seen: LookAround | null = null;

  constructor(private readonly host: Host) {}

  /** At most one look at all processes, for any number of connections; none where the last one found them. */
  locate(wanted: readonly Wanted[]): (Location | Status)[] {
    const inodes = this.host.native.diagConnectionInodes(wanted.map(({ connection }) => connection));
    const found = new Map<number, Location>();
    wanted.forEach(({ location }, index) => {
      const inode = inodes[index]!;
      if (inode !== null && location !== null && isThere(inode, location)) found.set(inode, location);
    });
    const missing = inodes.filter((inode): inode is number => inode !== null && !found.has(inode));
    for (const { inode, pid, fd } of this.ownersOf(missing)) if (!found.has(inode)) found.set(inode, { pid, fd });
    const refusals = new Refusals(this.host.programs);
    return wanted.map(({ connection }, index) => {
      const inode = inodes[index]!;
      if (inode === null) return this.whyNoInode(connection);
      const location = found.get(inode);
      return location === undefined ? 'no-owner' : (refusals.of(location.pid) ?? location);
    });
  }

  /** Who else has these sockets open. Looks at all processes only where the last look did not find them. */
  ownersOf(inodes: readonly number[]): SocketOwner[] {
    if (inodes.length === 0) return [];
    const owners = (): SocketOwner[] => (this.seen?.owners(inodes) ?? []).filter(({ pid }) => pid !== process.pid);
    const known = owners();
    const found = new Set(known.map(({ inode }) => inode));
    if (inodes.every((inode) => found.has(inode))) return known;
    this.seen = this.host.native.ownersLookAround();
    return owners();
  }

  /** Descriptors of ours for these connections, which the caller closes. */
  take(wanted: readonly Wanted[]): (OurDescriptor | Status)[] {
    const pidfds = new Pidfds(this.host.native);
    const refusals = new Refusals(this.host.programs);
    const takeFrom = (location: Location, connection: Connection): OurDescriptor | Status =>
      refusals.of(location.pid) ?? this.takeFrom(pidfds, location, connection);
    try {
      const taken = wanted.map(({ location, connection }) =>
        location === null ? 'no-owner' : takeFrom(location, connection)
      );
      const gone = [...taken.keys()].filter((index) => taken[index] === 'no-owner');
      const located = this.locate(gone.map((index) => wanted[index]!));
      gone.forEach((index, position) => {
        const location = located[position]!;
        taken[index] = typeof location === 'string' ? location : takeFrom(location, wanted[index]!.connection);
      });
      return taken;
    } finally {
      pidfds.close();
    }
  }

  /** What the program's kernel has received of a locked connection, a FIN not counted. null: the connection ended. */
  received(connection: Connection): number | null {
    const sequences = this.host.native.tcpSequences(connection);
    if (sequences === null) return null;
    return (sequences.rcvNxt - (FIN_RECEIVED_STATES.includes(sequences.state) ? 1 : 0)) >>> 0;
  }

  /** no-socket: the connection is not there; no-owner: it waits for accept(2), or its program has closed it. */
  private whyNoInode(connection: Connection): Status {
    return this.host.native.tcpSequences(connection) === null ? 'no-socket' : 'no-owner';
  }

  private takeFrom(pidfds: Pidfds, location: Location, connection: Connection): OurDescriptor | Status {
    let fd: number;
    try {
      fd = pidfds.take(location.pid, location.fd);
    } catch (error) {
      return (error as { code?: unknown }).code === 'EPERM' ? 'not-permitted' : 'no-owner';
    }
    const found = this.describe(fd);
    if (found !== null && connectionName(found) === connectionName(connection))
      return { fd, inode: found.inode, location };
    this.host.native.closeFd(fd);
    return 'no-owner';
  }

  private describe(fd: number): ProgramSocket | null {
    try {
      return this.host.native.socketDescribe(fd);
    } catch {
      return null; // not a socket
    }
  }
}

/** Why a process must not be stopped: each is looked at once. */
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
    if (this.programs.isMigrating(pid) || this.programs.isSuspended(pid)) return 'busy';
    return this.programs.freezerOf(pid) === null && isTraced(pid) ? 'not-permitted' : null;
  }
}

function isThere(inode: number, { pid, fd }: Location): boolean {
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
