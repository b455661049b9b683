/** What every part of peering has at hand. It is handed in, never imported: tests have several hosts in one process. */

import type { Logger } from 'pino';
import type { Native } from '../../native/contract';
import type { Clock, Keyring } from '../../protocol/inband';

export interface Host {
  readonly native: Native;
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly programs: LocalPrograms;
}

/** What this host knows of its wrapped programs. */
export interface LocalPrograms {
  /** The program that this process belongs to, the same object each time; null: a process like any other. */
  freezerOf(pid: number): PeerFreezer | null;
  isMigrating(pid: number): boolean;
  isSuspended(pid: number): boolean;
}

/** How to stop a wrapped program for the moment in which its sockets are rebound. */
export interface PeerFreezer {
  /** Returns when nothing of it runs. Throws where that cannot be had, having left it running. */
  freeze(): void;
  thaw(): void;
}
