/**
 * What every part of peering has at hand: its host. It is handed in, never imported: tests have several hosts in one
 * process. With it are native calls on many of its sockets at once, whose failures concern one socket each, and which
 * addresses are this host's.
 */

import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { Native } from '../../native/index';
import type { Clock, Keyring } from '../../protocol/inband';
import { isLoopback } from '../../vocabulary/addresses';
import type { Endpoint } from '../../vocabulary/endpoint';

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

/**
 * Does `operation` on all items at once; where that throws, on each alone, so that only the guilty ones fail. It must
 * bear being repeated. Gives its results, or the items where it has none, or what was thrown, in the items' order.
 */
export function batched<Item, Result>(
  items: readonly Item[],
  operation: (items: readonly Item[]) => readonly Result[],
): (Result | Failure)[];
export function batched<Item>(items: readonly Item[], operation: (items: readonly Item[]) => void): (Item | Failure)[];
export function batched<Item>(
  items: readonly Item[],
  operation: (items: readonly Item[]) => readonly unknown[] | void,
): unknown[] {
  if (items.length === 0) return [];
  try {
    return [...(operation(items) ?? items)];
  } catch (error) {
    if (items.length === 1) return [new Failure(error)];
    return items.map((item) => batched([item], operation)[0]!);
  }
}

export function fdsOf(sockets: readonly { readonly fd: number }[]): number[] {
  return sockets.map(({ fd }) => fd);
}

export class Failure {
  constructor(readonly error: unknown) {}

  get isPermission(): boolean {
    return (this.error as { code?: unknown }).code === 'EPERM';
  }
}

export function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true;
  if (address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address) === true);
}

/**
 * The local end of a socket that is to get this address: its own address, unless that is a loopback address. null: it
 * must not have it.
 */
export function localEndAt(local: Endpoint, address: string): Endpoint | null {
  if (local.address === address) return local;
  const isOffered = isLoopback(local.address) && !isLoopback(address) && isOwnAddress(address)
    && isIPv4(address) === isIPv4(local.address);
  return isOffered ? { address, port: local.port } : null;
}
