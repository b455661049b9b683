/** How long a lock lasts where nobody renews it: the peers' and our own. */

export const LEASE_MS = 10_000;
/** It counts from 2,500 connections on: to lock so many takes long on a busy host, and so does hearing of it. */
const PER_CONNECTION_MS = 4;
/** TCP bears this by itself. A longer lock is a hold, which costs more. */
export const LONGEST_LEASE_MS = 40_000;

export function leaseFor(connections: number): number {
  return Math.min(Math.max(LEASE_MS, PER_CONNECTION_MS * connections), LONGEST_LEASE_MS);
}
