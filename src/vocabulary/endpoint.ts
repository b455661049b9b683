/** One end of a connection, and both: how they are written, and by what name one is known. */
import { isIPv4 } from 'node:net';
import { addressOfFamily, isLoopback, plainAddress } from './addresses';

export interface Endpoint {
  /** Textual address, as inet_ntop prints it. An IPv4-mapped IPv6 address stays IPv6 ("::ffff:10.0.0.1"). */
  readonly address: string;
  readonly port: number;
}

export interface Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** True of UDP; else the connection is one of TCP. */
  readonly udp?: boolean | undefined;
}

/** For people; the addresses are written as the socket has them. */
export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** For people; the addresses are written as the socket has them. */
export function connectionText({ local, remote, udp }: Connection): string {
  return `${endpointText(local)} - ${endpointText(remote)}${udp === true ? ' (UDP)' : ''}`;
}

/** As the packets have it: the addresses of an IPv4-mapped connection are those of IPv4. */
export function onTheWire({ local, remote, udp }: Connection): Connection {
  const ends = { local: plain(local), remote: plain(remote) };
  return udp === true ? { ...ends, udp } : ends;
}

/** What a connection is found by: the same name, whichever family its socket has the addresses in. */
export function connectionName(connection: Connection): string {
  return connectionText(onTheWire(connection));
}

/** The same connection as its other end has it. */
export function otherSide({ local, remote, udp }: Connection): Connection {
  return { local: remote, remote: local, udp };
}

/** As a socket of this family (AF_INET, AF_INET6) has it. */
export function endpointOfFamily({ address, port }: Endpoint, family: number): Endpoint {
  return { address: addressOfFamily(address, family), port };
}

/** The IP version of an address on the wire. */
export function versionOf(address: string): 4 | 6 {
  return isIPv4(address) ? 4 : 6;
}

/** Both ends are on this host. */
export function isLocal({ local, remote }: Connection): boolean {
  return plainAddress(local.address) === plainAddress(remote.address) || isLoopback(remote.address);
}

function plain({ address, port }: Endpoint): Endpoint {
  return { address: plainAddress(address), port };
}
