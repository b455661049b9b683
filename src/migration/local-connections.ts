/**
 * Connections of which both ends are on the host that a program leaves. No I/O.
 *
 *   both are the program's   both move; loopback addresses stay, the old host's become the new one's
 *   one is a neighbour's     it follows like any peer; where it is reached at loopback, it gets the old host's own address
 */
import { isIPv4 } from 'node:net';
import { addressOfFamily, isLoopback, plainAddress } from '../vocabulary/addresses';
import { connectionName, otherSide } from '../vocabulary/endpoint';
import { type Connection, connectionText, type Endpoint } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/reason';
import { AF_INET, AF_INET6 } from '../vocabulary/sockets';

/** The old host's, on the interface that leads to the target. null: it has none of that version. */
export interface HostAddresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** Which connections of a program have their other end in the program too. */
export class OwnEnds {
  private readonly addresses: ReadonlySet<string>;
  private readonly names: ReadonlySet<string>;

  constructor(connections: readonly Connection[]) {
    this.addresses = new Set(connections.map(({ local }) => plainAddress(local.address)));
    // Of ten thousand connections mostly none: their names take longer than all the rest here.
    this.names = new Set(
      connections.filter((connection) => this.mayHave(connection)).map(({ local, remote }) =>
        connectionName({ local, remote })
      ),
    );
  }

  hasOther(connection: Connection): boolean {
    return this.mayHave(connection) && this.names.has(connectionName(otherSide(connection)));
  }

  private mayHave({ remote }: Connection): boolean {
    return this.addresses.has(plainAddress(remote.address));
  }
}

/** Where the other end is when the program has left. null: it is at loopback, and the host has no other address for it. */
export function otherEnd({ address, port }: Endpoint, host: HostAddresses): Endpoint | null {
  if (!isLoopback(address)) return { address, port };
  const own = isIPv4(plainAddress(address)) ? host.ipv4 : host.ipv6;
  return own === null ? null : { address: addressOfFamily(own, address.includes(':') ? AF_INET6 : AF_INET), port };
}

/** `connections`: of the program with others. */
export function reasonsOfNeighbours(connections: readonly Connection[], host: HostAddresses): Reason[] {
  return connections
    .filter(({ remote, udp }) => udp !== true && otherEnd(remote, host) === null)
    .map((connection) => ({
      code: 'E_LOCAL_CONNECTION',
      message: `${
        connectionText(connection)
      }: its other end stays on this host, at loopback, and has no address there that the program's new host could reach`,
    }));
}
