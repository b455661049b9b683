/** One end of a connection, and both: how they are written, and by what name one is known. */
import { isIPv4 } from 'node:net';
import { addressOfFamily, isAnyAddress, isLoopback, plainAddress } from './addresses';

export interface Endpoint {
  /** Textual address, as inet_ntop prints it. An IPv4-mapped IPv6 address stays IPv6 ("::ffff:10.0.0.1"). */
  readonly address: string;
  readonly port: number;
}

export interface Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** True: it is a connected UDP socket. Else it is a TCP connection. */
  readonly udp?: boolean | undefined;
}

/** The endpoint in words for people, its address as the socket has it. */
export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The connection in words for people, its addresses as the socket has them. */
export function connectionText({ local, remote, udp }: Connection): string {
  return `${endpointText(local)} - ${endpointText(remote)}${udp === true ? ' (UDP)' : ''}`;
}

/** The connection as its packets have it: those of an IPv4-mapped one have IPv4 addresses. */
export function onTheWire({ local, remote, udp }: Connection): Connection {
  const ends = { local: plain(local), remote: plain(remote) };
  return udp === true ? { ...ends, udp } : ends;
}

/** The name by which a connection is found: the same one, whichever family its socket has the addresses in. */
export function connectionName(connection: Connection): string {
  return connectionText(onTheWire(connection));
}

/** The connection as its other end has it. */
export function otherSide({ local, remote, udp }: Connection): Connection {
  return { local: remote, remote: local, udp };
}

/** The endpoint as a socket of this family (AF_INET, AF_INET6) has it. */
export function endpointOfFamily({ address, port }: Endpoint, family: number): Endpoint {
  return { address: addressOfFamily(address, family), port };
}

/** The IP version of an address on the wire. */
export function versionOf(address: string): 4 | 6 {
  return isIPv4(address) ? 4 : 6;
}

/** Whether both ends are on this host. */
export function isLocal({ local, remote }: Connection): boolean {
  return plainAddress(local.address) === plainAddress(remote.address) || isLoopback(remote.address);
}

/** Whether what is sent to an address of this host comes to a socket that is bound to one of these. */
export function isReceivedAt({ address, port }: Endpoint, bound: readonly Endpoint[]): boolean {
  const wanted = plainAddress(address);
  return bound.some((local) =>
    local.port === port && (plainAddress(local.address) === wanted || isAnyAddress(local.address))
  );
}

function plain({ address, port }: Endpoint): Endpoint {
  return { address: plainAddress(address), port };
}
