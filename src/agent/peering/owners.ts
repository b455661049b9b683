/**
 * Which processes have a socket open. All must stand still for its rebind, and to find them is a look at every descriptor
 * of every process: milliseconds, which at a rebind are part of the pause. So that look is taken when the connection is
 * suspended; at the rebind only what it found is looked at again, and what processes are new.
 *
 * Not seen: a process that was there before and has been passed the descriptor since, over a UNIX socket. A wrapped
 * program is stopped as a whole, whoever of it has the socket.
 */

import { readdirSync } from 'node:fs';
import type { Native, SocketOwner } from '../../native/contract';

interface Note {
  readonly owners: ReadonlySet<number>;
  /** Every process that was there. */
  readonly pids: ReadonlySet<number>;
}

export class Owners {
  private readonly notes = new Map<number, Note>();

  constructor(private readonly native: Native) {}

  /** Looks now, for a rebind later. */
  note(inodes: readonly number[]): void {
    if (inodes.length === 0) return;
    // In this order: a process that comes between is new, and looked at.
    const pids = new Set(allPids());
    const owners = new Set(this.native.findOwners(inodes).map(({ pid }) => pid));
    const note = { pids, owners };
    for (const inode of inodes) this.notes.set(inode, note);
  }

  forget(inodes: readonly number[]): void {
    for (const inode of inodes) this.notes.delete(inode);
  }

  /** All that have any of these open now. */
  find(inodes: readonly number[]): SocketOwner[] {
    const notes = new Set(inodes.map((inode) => this.notes.get(inode)));
    if (notes.has(undefined)) return this.native.findOwners(inodes);
    const known = [...notes].filter((note) => note !== undefined);
    const newcomers = allPids().filter((pid) => known.some(({ pids }) => !pids.has(pid)));
    return this.native.findOwners(inodes, [...new Set([...known.flatMap(({ owners }) => [...owners]), ...newcomers])]);
  }
}

function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0);
}
