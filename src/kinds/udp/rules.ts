/** Which UDP sockets cannot move, and which have a peer that must follow. There is no I/O here. */
import type { ProgramSocket } from '../../native/index';
import { isAnyAddress, isGroup, isLinkLocal, isLoopback, plainAddress } from '../../vocabulary/addresses';
import { connectionText, type Endpoint, endpointText, isReceivedAt } from '../../vocabulary/endpoint';
import type { Reason } from '../../vocabulary/refusal';
import { isUdp } from '../../vocabulary/sockets';

export type UdpSocket = Pick<ProgramSocket, 'type' | 'protocol' | 'local' | 'remote'>;

export function isBound({ local }: Pick<ProgramSocket, 'local'>): boolean {
  return local.port !== 0;
}

export function isConnectedUdp(socket: UdpSocket): boolean {
  return isUdp(socket) && socket.remote.port !== 0;
}

/**
 * Whether it talks to a socket of somebody else. `locals` are the program's UDP sockets, `addresses` this host's own.
 */
export function hasUdpPeer(socket: UdpSocket, locals: readonly Endpoint[], addresses: ReadonlySet<string>): boolean {
  const { address } = socket.remote;
  if (!isConnectedUdp(socket) || isAnyAddress(address) || isGroup(address) || isLoopback(address)) return false;
  return !addresses.has(plainAddress(address)) || !isReceivedAt(socket.remote, locals);
}

/** `locals` are the program's UDP sockets, `addresses` this host's own. */
export function reasonsOfUdp(socket: UdpSocket, locals: readonly Endpoint[], addresses: ReadonlySet<string>): Reason[] {
  return [...reasonsOfAddress(socket, addresses), ...reasonsOfRemote(socket, locals)];
}

function reasonsOfAddress(socket: UdpSocket, addresses: ReadonlySet<string>): Reason[] {
  const who = `the UDP socket at ${endpointText(socket.local)}`;
  if (!isBound(socket)) return [];
  if (isLinkLocal(socket.local.address) || isLinkLocal(socket.remote.address)) {
    return [{ code: 'E_ADDRESS', message: `${who} uses link-local addresses, which mean nothing on another link` }];
  }
  const { address } = socket.local;
  if (isAnyAddress(address) || isLoopback(address) || isGroup(address) || addresses.has(plainAddress(address)))
    return [];
  return [{
    code: 'E_ADDRESS',
    message: `${who} is bound to an address that is not one of this host's, so there is none for it on another`,
  }];
}

function reasonsOfRemote(socket: UdpSocket, locals: readonly Endpoint[]): Reason[] {
  const { remote } = socket;
  if (!isConnectedUdp(socket) || !isLoopback(remote.address) || isReceivedAt(remote, locals)) return [];
  return [{
    code: 'E_LOCAL_CONNECTION',
    message: `${
      connectionText({ ...socket, udp: true })
    }: its other end stays on this host, and is not reached from another at a loopback address`,
  }];
}
