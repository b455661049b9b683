/**
 * TCP sockets that are bound and not connected: those that listen, and those that may yet. Where the address is one of the
 * old host's, or there is one and no port, CRIU could not bind them again; it makes them without a name (files-image.ts),
 * and they get the new one here.
 */
import { native, type ProgramSocket } from '../native/index';
import type { Arrival } from '../protocol/control/index';
import { isAnyAddress, isLoopback } from '../vocabulary/addresses';
import { endpointText } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/reason';
import { isTcp, TCP_CLOSE, TCP_LISTEN } from '../vocabulary/sockets';
import type { NewAddresses } from './new-addresses';
import type { MovingState } from './state';

type BoundSocket = Pick<ProgramSocket, 'type' | 'protocol' | 'state' | 'ended' | 'local'>;

export function isBoundTcp(socket: BoundSocket): boolean {
  if (!isTcp(socket) || (socket.state !== TCP_LISTEN && (socket.state !== TCP_CLOSE || socket.ended))) return false;
  return socket.local.port !== 0 || !isAnyAddress(socket.local.address);
}

/** CRIU leaves it without a name. */
export function isNamedHere(socket: BoundSocket): boolean {
  return isBoundTcp(socket) && !isAnyAddress(socket.local.address)
    && (socket.local.port === 0 || !isLoopback(socket.local.address));
}

/** What this host lacks for them: addresses and ports. One after the other: some share a port. */
export function judgeBound({ bound }: Arrival, addresses: NewAddresses): Reason[] {
  return bound.flatMap(({ family, local, listens, options }): Reason[] => {
    const wanted = addresses.local({ family, local, remote: { address: local.address, port: 0 } });
    if (wanted === null)
      return [{ code: 'E_NO_ROUTE', message: `the target has no address in place of ${local.address}` }];
    const why = native.socketWhyNotBound(family, options, wanted, listens);
    return why === null
      ? []
      : [{
        code: 'E_PORT',
        message: `cannot ${listens ? 'listen on' : 'bind a socket to'} ${endpointText(wanted)} there: ${why}`,
      }];
  });
}

/** Before any connection is revived, as it was with the first ones: their ports are these. */
export function bindAgain(
  { bound }: MovingState,
  addresses: NewAddresses,
  at: (place: MovingState['bound'][number]) => number,
): void {
  for (const socket of bound) {
    const { family, local, backlog } = socket;
    native.socketBind(
      at(socket),
      family,
      addresses.local({ family, local, remote: { address: local.address, port: 0 } }) ?? local,
      backlog,
    );
  }
}
