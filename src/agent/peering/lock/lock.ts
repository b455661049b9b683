/** Connections of this host, as a migration of the program at their other ends has them locked. */

import type { LockFacts } from '../../../protocol/control/index';
import type { Move } from '../../../protocol/inband';
import type { Endpoint } from '../../../vocabulary/endpoint';
import type { Registration } from '../hello/registrations';
import { batched, Failure, fdsOf, type Host } from '../host';
import type { Rebind } from '../rebind/rebind';

/** A connection that was locked for a migration. */
export interface LockedConnection {
  readonly registration: Registration;
  /** Our descriptor while it is locked. */
  fd: number | null;
  readonly inode: number;
  /** Where its other end is now, once it has followed. */
  movedTo: Endpoint | null;
  /**
   * While it is held: the program's own TCP_USER_TIMEOUT, and whether the window was closed
   * (native/tcp/user_timeout.h).
   */
  hold: { readonly userTimeout: number; readonly windowWasShut: boolean } | null;
}

/** All connections here of one program elsewhere, locked for one migration of it. */
export interface Lock {
  /** The program. */
  readonly group: string;
  /** Key id of the source's agent. */
  readonly agent: string;
  readonly move: Move;
  /** By token. */
  readonly connections: Map<string, LockedConnection>;
  state: LockFacts['state'];
  round: number;
  /** When the lease ends, by the host's clock. */
  until: number;
  /** A RESUME has come. */
  resuming: boolean;
  /** The restore that it is kept for: before this time of the clock no other one may have it. */
  claim: { readonly restore: string; readonly until: number } | null;
  /** Calls off what is to happen at the end of the lease. */
  callOff: () => void;
}

export type WithDescriptor<Connection> = Connection & { readonly fd: number };

export function hasDescriptor<Any extends LockedConnection>(connection: Any): connection is WithDescriptor<Any> {
  return connection.fd !== null;
}

export function isHeld({ hold }: LockedConnection): boolean {
  return hold !== null;
}

/** How it is rebound: in place, if `change` says nothing else. */
export function rebindOf(
  { fd, inode, registration, hold }: WithDescriptor<LockedConnection>,
  change: Pick<Rebind, 'peerHas'> & Partial<Rebind>,
): Rebind {
  return { fd, inode, ...registration.connection, windowIsShut: hold?.windowWasShut === true, ...change };
}

/** Unlocks those that we have descriptors of. */
export function unlock({ native, log }: Host, connections: readonly LockedConnection[]): void {
  const unlocked = batched(connections.filter(hasDescriptor), (some) => native.socketUnlock(fdsOf(some)));
  for (const one of unlocked)
    if (one instanceof Failure) log.warn({ err: one.error }, 'a connection was not unlocked; its lease ends it');
}

export function closeDescriptors({ native }: Host, connections: readonly LockedConnection[]): void {
  for (const connection of connections) {
    if (connection.fd !== null) native.closeFd(connection.fd);
    connection.fd = null;
  }
}
