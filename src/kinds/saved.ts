/** What travels of all kinds, on the wire and in a checkpoint: each by its own schema, under its own name. */
import { z } from 'zod';
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import { endAway, type HostAddresses } from './ends';
import type { SavedPeer, SocketSummary, TravellingKind } from './kind';
import { KINDS } from './table';

const travelling = KINDS.filter((kind): kind is TravellingKind => kind.saved !== undefined);

export const savedByKind = z.object(Object.fromEntries(travelling.map(({ name, saved }) => [name, saved.schema])));
export type SavedByKind = Record<string, unknown>;

/** One of everything, of no program. */
export function practiceByKind(): SavedByKind {
  return Object.fromEntries(travelling.map(({ name, saved }) => [name, saved.practice]));
}

/**
 * The program's connections whose other ends follow. The order is that in which a target tells where their ends are.
 */
export function savedPeers(all: SavedByKind): SavedPeer[] {
  return travelling.flatMap(({ name, saved }) => saved.peers?.(all[name]) ?? []);
}

/** All sockets that show: connections, listening sockets, UDP. */
export function socketSummaries(all: SavedByKind): SocketSummary[] {
  return travelling.flatMap(({ name, saved }) => saved.summary?.(all[name]) ?? []);
}

/** TCP connections have a state of their own; an UDP socket that is connected has none. */
export function isConnectionSummary({ state, remote }: Pick<SocketSummary, 'state' | 'remote'>): boolean {
  return remote !== null && state !== 'UDP';
}

/** How many TCP connections it has, those inside it and those that wait to be accepted as well. */
export function countConnections(all: SavedByKind): number {
  return socketSummaries(all).filter(isConnectionSummary).length;
}

/** What a peer is told: the connection as it was, as it is now, and what of the peer's stream has arrived. */
export interface MovedPeer {
  readonly connection: Connection;
  readonly to: Connection;
  readonly peerHas: number;
}

/** `locals` are where these have their local ends now, in the order of `savedPeers`; null: it is not there any more. */
export function movedPeers(
  peers: readonly SavedPeer[],
  locals: readonly (Endpoint | null)[],
  host: HostAddresses,
): MovedPeer[] {
  return peers.flatMap(({ connection, rcvNxt }, index): MovedPeer[] => {
    const local = locals[index];
    if (local === null) return [];
    const { remote, udp } = connection;
    const there = udp === true ? remote : (endAway(remote, host) ?? remote);
    return [{ connection, to: { ...connection, local: local ?? connection.local, remote: there }, peerHas: rcvNxt }];
  });
}
