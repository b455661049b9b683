/** The two ways to write one connection: as its socket has it, and as it is on the wire. */

import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { addressOfFamily, isLoopback, plainAddress } from '../../addresses';
import type { Connection, Endpoint } from '../../native/contract';

/** IPv4-mapped IPv6 addresses as the IPv4 addresses that the packets have. */
export function onTheWire({ local, remote, udp }: Connection): Connection {
  const ends = { local: plain(local), remote: plain(remote) };
  return udp === true ? { ...ends, udp } : ends;
}

/** An address as a socket of this family takes it. */
export function forFamily({ address, port }: Endpoint, family: number): Endpoint {
  return { address: addressOfFamily(address, family), port };
}

/** The same for both ways of writing. */
export function connectionName(connection: Connection): string {
  const { local, remote, udp } = onTheWire(connection);
  return `${udp === true ? 'udp ' : ''}${endpointName(local)} ${endpointName(remote)}`;
}

export function endpointName({ address, port }: Endpoint): string {
  return `[${address}]:${port}`;
}

/** Of an address on the wire. */
export function familyOf(address: string): 4 | 6 {
  return isIPv4(address) ? 4 : 6;
}

export function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true;
  if (address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address) === true);
}

/** A socket keeps its address, unless that is of use on its own host only. null: it must not have the one that it is to get. */
export function localEndAt(local: Endpoint, address: string): Endpoint | null {
  if (local.address === address) return local;
  const isOffered = isLoopback(local.address) && !isLoopback(address) && isOwnAddress(address)
    && isIPv4(address) === isIPv4(local.address);
  return isOffered ? { address, port: local.port } : null;
}

function plain({ address, port }: Endpoint): Endpoint {
  return { address: plainAddress(address), port };
}
