/** How long peers hold without hearing of us again; our own locks likewise. */

export const LEASE_MS = 10_000;
/** From 2,500 on: to lock many takes long on a busy host, and to hear of it. */
const PER_CONNECTION_MS = 4;
/** What lasts longer is a hold, which costs more: TCP bears this by itself. */
export const LONGEST_LEASE_MS = 40_000;

export function leaseFor(connections: number): number {
  return Math.min(Math.max(LEASE_MS, PER_CONNECTION_MS * connections), LONGEST_LEASE_MS);
}
