/** Which UDP sockets cannot move. No I/O. */
import { isAnyAddress, isGroup, isLinkLocal, isLoopback, plainAddress } from '../addresses';
import type { Endpoint, HeldSocket } from '../native/index';
import { connectionText, endpointText, type Reason } from './reason';

const SOCK_DGRAM = 2;
const IPPROTO_UDP = 17;

export type UdpSocket = Pick<HeldSocket, 'type' | 'protocol' | 'local' | 'remote'>;

export function isUdp({ type, protocol }: Pick<HeldSocket, 'type' | 'protocol'>): boolean {
  return type === SOCK_DGRAM && protocol === IPPROTO_UDP;
}

export function isBound({ local }: Pick<HeldSocket, 'local'>): boolean {
  return local.port !== 0;
}

export function isConnectedUdp(socket: UdpSocket): boolean {
  return isUdp(socket) && socket.remote.port !== 0;
}

/** Whether what is sent to an address of this host comes to one of these sockets, by where they are bound. */
export function isInside({ address, port }: Endpoint, locals: readonly Endpoint[]): boolean {
  const wanted = plainAddress(address);
  return locals.some((local) => local.port === port && (plainAddress(local.address) === wanted || isAnyAddress(local.address)));
}

/** `addresses`: the host's own. `all`: the program's sockets. */
export function reasonsOfUdp(socket: UdpSocket, all: readonly UdpSocket[], addresses: ReadonlySet<string>): Reason[] {
  return [...reasonsOfAddress(socket, addresses), ...reasonsOfRemote(socket, all, addresses)];
}

function reasonsOfAddress(socket: UdpSocket, addresses: ReadonlySet<string>): Reason[] {
  const who = `the UDP socket at ${endpointText(socket.local)}`;
  if (!isBound(socket)) return [];
  if (isLinkLocal(socket.local.address) || isLinkLocal(socket.remote.address)) {
    return [{ code: 'E_ADDRESS', message: `${who} uses link-local addresses, which mean nothing on another link` }];
  }
  const { address } = socket.local;
  if (isAnyAddress(address) || isLoopback(address) || isGroup(address) || addresses.has(plainAddress(address))) return [];
  return [{ code: 'E_ADDRESS', message: `${who} is bound to an address that is not one of this host's, so there is none for it on another` }];
}

function reasonsOfRemote(socket: UdpSocket, all: readonly UdpSocket[], addresses: ReadonlySet<string>): Reason[] {
  const { remote } = socket;
  if (!isConnectedUdp(socket)) return [];
  const isHere = isLoopback(remote.address) || addresses.has(plainAddress(remote.address));
  if (!isHere) return [{ code: 'E_SOCKET_KIND', message: `${connectionText(socket)}, a connected UDP socket, does not move yet` }];
  if (isInside(remote, all.filter(isUdp).map(({ local }) => local))) return [];
  return [{ code: 'E_LOCAL_CONNECTION', message: `${connectionText(socket)} (UDP): its other end is on this host and stays here` }];
}
