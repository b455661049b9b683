/**
 * Which processes have a socket open. All must stand still for its rebind, and to find them takes a look at every
 * descriptor of every process: milliseconds, for which a migration would make its program wait. So that look is taken
 * when the connection has been locked; at the rebind only what it found is looked at again, and what processes are new.
 *
 * A process that was there before, and has been passed the descriptor since, over a UNIX socket, is not seen. In a
 * wrapped program it stands still all the same: that is stopped as a whole.
 */

import { readdirSync } from 'node:fs';
import { EPOLL_INODE, type LookAround, type SocketOwner } from '../../../native/index';
import type { Host } from '../host';

interface Note {
  readonly look: LookAround;
  /** Processes that had any of the sockets. */
  readonly owners: readonly number[];
  /** Every process that was there. */
  readonly pids: ReadonlySet<number>;
}

export class Owners {
  /** By the socket's inode; sockets that were looked for together have the same note. */
  private readonly notes = new Map<number, Note>();

  constructor(private readonly host: Pick<Host, 'native'>) {}

  /** Looks now, for a rebind that comes later. */
  note(inodes: readonly number[]): void {
    // The pids come first: a process that comes after them is new at the rebind, and looked at then.
    const pids = allPids();
    if (inodes.length > 0) this.remember(inodes, pids, this.host.native.ownersLookAround());
  }

  /** Looks once more at who had any of them, and at who is new, before a rebind in many pieces. */
  renew(inodes: readonly number[]): void {
    const known = [...new Set(inodes.map((inode) => this.notes.get(inode)))].filter((note) => note !== undefined);
    const pids = allPids();
    const newcomers = pids.filter((pid) => known.some((note) => !note.pids.has(pid)));
    if (known.length > 0)
      this.remember(
        inodes,
        pids,
        this.host.native.ownersLookAround([...new Set([...known.flatMap(({ owners }) => owners), ...newcomers])]),
      );
  }

  forget(inodes: readonly number[]): void {
    for (const inode of inodes) this.notes.delete(inode);
  }

  /** All processes that have any of these open now. */
  find(inodes: readonly number[]): SocketOwner[] {
    const byNote = new Map<Note | undefined, number[]>();
    for (const inode of inodes) {
      const note = this.notes.get(inode);
      const alike = byNote.get(note);
      if (alike === undefined) byNote.set(note, [inode]);
      else alike.push(inode);
    }
    return [...byNote].flatMap(
      ([note, some]) => (note === undefined ? this.host.native.ownersFind(some) : this.findNoted(note, some))
    );
  }

  /** The epoll sets of these processes; for those that the sockets' note has, as they were then. */
  sets(inodes: readonly number[], pids: readonly number[]): SocketOwner[] {
    const note = inodes.map((inode) => this.notes.get(inode)).find((one) => one !== undefined);
    const others = pids.filter((pid) => note?.pids.has(pid) !== true);
    return [...(note?.look.sets(pids) ?? []),
      ...(others.length === 0 ? [] : this.host.native.ownersFind([EPOLL_INODE], others))];
  }

  private findNoted({ look, pids }: Note, inodes: readonly number[]): SocketOwner[] {
    const found = look.owners(inodes);
    const unchanged = new Set(found.map(({ inode }) => inode));
    const changed = inodes.filter((inode) => !unchanged.has(inode));
    const newcomers = allPids().filter((pid) => !pids.has(pid));
    return [...found, ...this.host.native.ownersFind([...unchanged], newcomers),
      ...(changed.length === 0 ? [] : this.host.native.ownersFind(changed))];
  }

  private remember(inodes: readonly number[], pids: readonly number[], look: LookAround): void {
    const note = { look, owners: look.pids(inodes), pids: new Set(pids) };
    for (const inode of inodes) this.notes.set(inode, note);
  }
}

function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0);
}
