/** Which addresses are this host's, and which of them a connection's local end may have. */

import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopback } from '../../vocabulary/addresses';
import type { Endpoint } from '../../vocabulary/endpoint';

export function isOwnAddress(address: string): boolean {
  if (isLoopback(address)) return true;
  if (address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address) === true);
}

/** The local end of a socket that is to get this address: its own address, unless that is a loopback address. null: it must not have it. */
export function localEndAt(local: Endpoint, address: string): Endpoint | null {
  if (local.address === address) return local;
  const isOffered = isLoopback(local.address) && !isLoopback(address) && isOwnAddress(address)
    && isIPv4(address) === isIPv4(local.address);
  return isOffered ? { address, port: local.port } : null;
}
