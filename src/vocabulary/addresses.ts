/** What the text of an IP address, as inet_ntop(3) prints it, says by itself. */
import { isIPv4 } from 'node:net';
import { AF_INET6 } from './sockets';

const MAPPED = '::ffff:';

/** An IPv4-mapped IPv6 address as the IPv4 address that its packets have. */
export function plainAddress(address: string): string {
  const tail = address.slice(MAPPED.length);
  return address.startsWith(MAPPED) && isIPv4(tail) ? tail : address;
}

/** The address as a socket of this family (AF_INET, AF_INET6) has it. */
export function addressOfFamily(address: string, family: number): string {
  return family === AF_INET6 && isIPv4(address) ? MAPPED + address : address;
}

export function anyAddress(family: number): string {
  return family === AF_INET6 ? '::' : '0.0.0.0';
}

export function isAnyAddress(address: string): boolean {
  return plainAddress(address) === '0.0.0.0' || address === '::';
}

export function isLoopback(address: string): boolean {
  return plainAddress(address).startsWith('127.') || address === '::1';
}

/** Whether it is a multicast address, or the broadcast address that every network knows. */
export function isGroup(address: string): boolean {
  const plain = plainAddress(address);
  if (!isIPv4(plain)) return /^ff/i.test(plain);
  const first = Number(plain.split('.')[0]);
  return (first >= 224 && first < 240) || plain === '255.255.255.255';
}

/** Whether an IPv6 address is of one link, and means nothing elsewhere. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
