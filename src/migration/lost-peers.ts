/** Connections that did not follow a committed move: who they are, and that their peers learn of it. */
import { native } from '../native/index';
import type { ResumedPeer } from '../protocol/control/index';
import { type Connection, connectionText } from '../vocabulary/endpoint';
import type { MovingConnection } from './state';

/** The peer counts from when it was told, we from when we told it. */
const LEASE_MARGIN_MS = 500;

/** Those of whom neither path brought word that they follow. */
export function lostPeers(peers: readonly Connection[], answers: readonly ResumedPeer[]): ResumedPeer[] {
  const following = new Set(
    answers.filter(({ status }) => status === 'ok').map(({ connection }) => connectionText(connection)),
  );
  const statuses = new Map(answers.map(({ connection, status }) => [connectionText(connection), status]));
  return peers
    .filter((connection) => !following.has(connectionText(connection)))
    .map((connection) => ({ connection, status: statuses.get(connectionText(connection)) ?? 'no-agent' }));
}

/** A peer that was suspended then, and heard no more, takes nothing before its lease has ended: not a reset either. */
export async function untilUnlocked(suspendedAt: number, leaseMs: number): Promise<void> {
  const left = suspendedAt + leaseMs + LEASE_MARGIN_MS - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}

/**
 * A peer that only listens would wait for ever for what now comes from another address. So the source's socket is made
 * such that its end, the death of the source's copy, resets the connection: it goes on from what the peer has, with a
 * byte that nobody has read (tcp_close() in net/ipv4/tcp.c; RFC 2525, 2.17).
 */
export function armReset(fd: number, { saved, peerHas }: MovingConnection): void {
  const ended = {
    ...saved,
    sndUna: peerHas,
    sendQueue: Buffer.alloc(0),
    receiveQueue: Buffer.alloc(1),
    finSent: false,
  };
  native.tcpRevive([{ fd, saved: ended, local: saved.local, remote: saved.remote, peerHas }], false);
}
