/** IP addresses between text and bytes, and a connection's four addresses as bytes to authenticate. */

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { Endpoint } from '../../vocabulary/endpoint';
import { MalformedMessage, Writer } from './wire';

/** 4 or 16 bytes. Throws a RangeError for what is not an address (a zone, "%eth0", is none). */
export function addressToBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new RangeError(`not an IP address: ${JSON.stringify(address)}`);
  const [head = '', tail] = withoutDottedQuad(address).split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  const middle = new Array<number>(8 - front.length - back.length).fill(0);
  const bytes = Buffer.alloc(16);
  [...front, ...middle, ...back].forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

/** The shortest text, as inet_ntop(3) prints it. */
export function addressFromBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new MalformedMessage(`an address of ${bytes.length} bytes`);
  const text = bytes.toString('hex').match(/.{4}/g)!.join(':');
  return new SocketAddress({ address: text, family: 'ipv6' }).address;
}

/**
 * The four addresses, `first` being the side that asked. An IPv4-mapped IPv6 address counts as the IPv4 address
 * that is on the wire: the two ends of one connection may hold it in different families.
 */
export function encodeAddresses(first: Endpoint, second: Endpoint): Buffer {
  const writer = new Writer();
  for (const end of [first, second]) {
    const bytes = plainBytes(addressToBytes(end.address));
    writer.u8(bytes.length).bytes(bytes).u16(end.port);
  }
  return writer.finish();
}

const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');

function plainBytes(bytes: Buffer): Buffer {
  return bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED_PREFIX) ? bytes.subarray(12) : bytes;
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

/** "::ffff:10.0.0.1" as "::ffff:a00:1". */
function withoutDottedQuad(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...quad: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = quad.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}
