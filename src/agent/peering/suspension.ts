/** One program's connections on this host, as its migration holds them. */

import type { Move } from '../../protocol/inband';
import type { Endpoint } from '../../vocabulary/endpoint';
import type { Registration } from './registrations';
import type { SuspensionState } from './types';

/** A connection that was locked for a migration. */
export interface Member {
  readonly registration: Registration;
  /** Our descriptor while it is locked. */
  fd: number | null;
  readonly inode: number;
  /** Where its other end is now. */
  moved: Endpoint | null;
  /** Of a hold: the program's own TCP_USER_TIMEOUT, and whether the window was closed (native/tcp/user_timeout.h). */
  patience: { readonly userTimeout: number; readonly windowWasShut: boolean } | null;
}

export interface Suspension {
  readonly migration: string;
  readonly group: string;
  readonly agent: string;
  readonly move: Move;
  readonly members: Map<string, Member>;
  state: SuspensionState;
  round: number;
  /** Of the clock. */
  until: number;
  /** A RESUME has come. */
  resuming: boolean;
  /** The restore that it is kept for: no other one may have it before this time of the clock. */
  claim: { readonly by: string; readonly until: number } | null;
  endLease: () => void;
}

export function newSuspension(move: Move, group: string, round: number): Suspension {
  const { migration, sourceId } = move.ticket;
  return {
    migration,
    group,
    agent: sourceId,
    move,
    members: new Map(),
    state: 'active',
    round,
    until: 0,
    resuming: false,
    claim: null,
    endLease: () => undefined,
  };
}
