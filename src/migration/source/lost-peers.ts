/** Connections that did not follow a committed move: who they are, and when their peers can learn of it. */
import type { ResumedPeer } from '../../protocol/control/index';
import { LEASE_MARGIN_MS } from '../../times';
import { type Connection, connectionName } from '../../vocabulary/endpoint';

/** Gives the peers of whom neither path brought word that they follow. */
export function lostPeers(peers: readonly Connection[], answers: readonly ResumedPeer[]): ResumedPeer[] {
  const statuses = new Map<string, ResumedPeer['status']>();
  for (const { connection, status } of answers) {
    const name = connectionName(connection);
    if (statuses.get(name) !== 'ok') statuses.set(name, status);
  }
  const told = peers.map((connection) => ({
    connection,
    status: statuses.get(connectionName(connection)) ?? ('no-agent' as const),
  }));
  return told.filter(({ status }) => status !== 'ok');
}

/** A peer that was locked then, and heard no more, takes nothing before its lease has ended: not a reset either. */
export async function untilUnlocked(lockedAt: number, leaseMs: number): Promise<void> {
  const left = lockedAt + leaseMs + LEASE_MARGIN_MS - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
