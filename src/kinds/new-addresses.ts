/**
 * Tells where the sockets of a program are on its new host: what was an address of the old host becomes one of the new
 * one.
 */
import { addressOfFamily, anyAddress, plainAddress } from '../vocabulary/addresses';
import { type Endpoint, isReceivedAt } from '../vocabulary/endpoint';

/** Names as getsockname(2) and getpeername(2) gave them; the remote's port is 0 where there is none. */
export interface Named {
  readonly family: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

export class NewAddresses {
  /**
   * `from` are the old host's addresses; `sourceTowards` tells this host's address on the way to another, null: there is
   * none.
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
