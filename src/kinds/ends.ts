/**
 * Tells where the two ends of a program's connections are, at the source and at the target: both in the program, one
 * with a neighbour on the host that the program leaves, or one on another host; and which addresses its sockets have at
 * the target.
 *
 *   both are the program's   both move; loopback addresses stay, the old host's become the new one's
 *   one is a neighbour's     it follows like any peer; where it is reached at loopback, it gets the old host's own address
 */
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { MigrunError } from '../errors';
import { native } from '../native/index';
import { ownAddresses } from '../program/facts';
import { addressOfFamily, anyAddress, isLoopback, plainAddress } from '../vocabulary/addresses';
import { type Connection, connectionName, connectionText, type Endpoint, isReceivedAt,
  otherSide } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/refusal';
import { AF_INET, AF_INET6 } from '../vocabulary/sockets';

/** The old host's addresses on the interface that leads to the target; null: it has none of that version. */
export const hostAddresses = z.object({ ipv4: z.ipv4().nullable(), ipv6: z.ipv6().nullable() });
export type HostAddresses = Readonly<z.infer<typeof hostAddresses>>;

/** Which of these connections have their other end among them too. */
export class InsideEnds<One extends Connection = Connection> {
  private readonly addresses: ReadonlySet<string>;
  private readonly names: ReadonlyMap<string, One>;

  constructor(connections: readonly One[]) {
    this.addresses = new Set(connections.map(({ local }) => plainAddress(local.address)));
    // Mostly none of ten thousand connections may have one inside: to name them all takes longer than the rest of this.
    const candidates = connections.filter((connection) => this.mayHave(connection));
    this.names = new Map(candidates.map((connection) => [connectionName(connection), connection]));
  }

  /** Gives the other end; undefined: it is somebody else's. */
  otherEnd(connection: Connection): One | undefined {
    return this.mayHave(connection) ? this.names.get(connectionName(otherSide(connection))) : undefined;
  }

  hasOther(connection: Connection): boolean {
    return this.otherEnd(connection) !== undefined;
  }

  private mayHave({ remote }: Connection): boolean {
    return this.addresses.has(plainAddress(remote.address));
  }
}

/**
 * Gives where the other end is when the program has left; null: it is at loopback, and the host has no other address
 * for it.
 */
export function endAway({ address, port }: Endpoint, host: HostAddresses): Endpoint | null {
  if (!isLoopback(address)) return { address, port };
  const own = isIPv4(plainAddress(address)) ? host.ipv4 : host.ipv6;
  return own === null
    ? null
    : { address: addressOfFamily(own, address.includes(':') ? AF_INET6 : AF_INET), port };
}

/** Each neighbour's end that no other host could reach is a reason; `connections` are the program's with others. */
export function reasonsOfNeighbours(connections: readonly Connection[], host: HostAddresses): Reason[] {
  return connections.filter(({ remote }) => endAway(remote, host) === null).map((connection) => ({
    code: 'E_LOCAL_CONNECTION',
    message: `${
      connectionText(connection)
    }: its other end stays on this host, at loopback, and has no address there that the program's new host could reach`,
  }));
}

/**
 * Gives the reasons against these addresses of other ends: the target does not reach one, or it is a neighbour's at the
 * source and the target's own too.
 */
export function judgeRoutes(remotes: readonly string[], { from }: NewAddresses): Reason[] {
  const ours = ownAddresses();
  const addresses = [...new Set(remotes)];
  // A bridge, say, has the same address on every host.
  const isSameHost = [...from].every((address) => ours.includes(address));
  const isCommon = (address: string): boolean => from.has(address) && ours.includes(address);
  const common = isSameHost ? [] : addresses.filter((address) => isCommon(plainAddress(address)));
  const unreached = addresses.filter((address) => native.socketRouteSource(address) === null);
  return [
    ...common.map((address) => ({
      code: 'E_LOCAL_CONNECTION',
      message: `the other end of a connection stays at ${address}, which is an address of the target too`,
    })),
    ...unreached.map((address) => ({ code: 'E_NO_ROUTE', message: `the target has no route to the peer ${address}` })),
  ];
}

/**
 * Gives the reasons against these addresses, at which the program spoke to itself: the target has none in their place.
 */
export function judgeInside(inside: readonly string[], addresses: NewAddresses): Reason[] {
  const hasNone = (address: string): boolean =>
    addresses.inside({ address, port: 0 }, isIPv4(address) ? AF_INET : AF_INET6) === null;
  return inside.filter(hasNone).map((address) => ({
    code: 'E_NO_ROUTE',
    message: `the target has no address in place of ${address}`,
  }));
}

/** A connection as its socket had it at the source. */
interface SavedEnds {
  readonly family: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** Finds where connections that arrive have their ends here. It asks for each route once. */
export class EndsHere {
  private readonly sources = new Map<string, string>();

  constructor(private readonly host: HostAddresses, private readonly addresses: NewAddresses) {}

  /** Ports are as they were, and local addresses those that this host speaks to the peer from. Throws E_NO_ROUTE. */
  of({ family, local, remote }: SavedEnds, inside: boolean): Connection {
    if (inside) return { local: this.own(local, family), remote: this.own(remote, family) };
    const there = endAway(remote, this.host) ?? remote;
    return { local: { address: this.sourceTowards(there.address), port: local.port }, remote: there };
  }

  private own(end: Endpoint, family: number): Endpoint {
    const found = this.addresses.inside(end, family);
    if (found === null) throw new MigrunError('E_NO_ROUTE', `this host has no address in place of ${end.address}`);
    return found;
  }

  private sourceTowards(remote: string): string {
    const known = this.sources.get(remote) ?? native.socketRouteSource(remote);
    if (known === null)
      throw new MigrunError('E_NO_ROUTE', `no route to the peer ${remote}`, { hint: 'does this host reach it?' });
    this.sources.set(remote, known);
    return known;
  }
}

/** Names as getsockname(2) and getpeername(2) gave them; the remote's port is 0 where there is none. */
export interface Named {
  readonly family: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

export class NewAddresses {
  /**
   * `from` are the old host's addresses; `sourceTowards` tells this host's address on the way to another, null: there
   * is none.
   */
  constructor(readonly from: ReadonlySet<string>, private readonly sourceTowards: (address: string) => string | null) {}

  /** Gives what to bind a socket to; null: this host has no address in place of its old one. */
  local({ family, local, remote }: Named): Endpoint | null {
    if (!this.from.has(plainAddress(local.address))) return local;
    // A connected socket gets the address of the route to its remote, as it would have got it in the first place.
    if (remote.port !== 0) return { address: anyAddress(family), port: local.port };
    return this.own(local, family);
  }

  /**
   * Gives what to connect a socket to, or where a datagram came from. It becomes another one only where it is in the
   * program itself, whose sockets were bound to `locals`.
   */
  remote(remote: Endpoint, family: number, locals: readonly Endpoint[]): Endpoint {
    const isOfOldHost = remote.port !== 0 && this.from.has(plainAddress(remote.address));
    return isOfOldHost && isReceivedAt(remote, locals) ? (this.own(remote, family) ?? remote) : remote;
  }

  /**
   * Gives where an end is of a connection that is in the program altogether; null: this host has no address in place of
   * its old one.
   */
  inside(end: Endpoint, family: number): Endpoint | null {
    return this.from.has(plainAddress(end.address)) ? this.own(end, family) : end;
  }

  /** Gives what to set as IP_MULTICAST_IF. */
  multicastInterface(old: string): string {
    return this.from.has(old) ? (this.sourceTowards(old) ?? '0.0.0.0') : old;
  }

  private own({ address: old, port }: Endpoint, family: number): Endpoint | null {
    const found = this.sourceTowards(plainAddress(old));
    return found === null ? null : { address: addressOfFamily(found, family), port };
  }
}

/** Gives the ends as they can be here; `mayChange` says by the index whether the port may be another. */
export function withFreePorts(ends: readonly Connection[], mayChange: (index: number) => boolean): Connection[] {
  const inodes = native.diagConnectionInodes(ends);
  const given = new Set<number>();
  return ends.map((end, index) => {
    if (inodes[index] === null || !mayChange(index)) return end;
    return { ...end, local: { ...end.local, port: freePort(end.local.address, given) } };
  });
}

function freePort(address: string, given: Set<number>): number {
  let port = native.socketFreePort(address);
  while (given.has(port)) port = native.socketFreePort(address);
  given.add(port);
  return port;
}
