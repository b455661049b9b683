/** Where connections that arrive have their ends. */
import { MigrunError } from '../errors';
import { native } from '../native/index';
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import { type HostAddresses, otherEnd } from './local-connections';
import type { NewAddresses } from './new-addresses';
import type { MovingConnection } from './state';

/** The ports are as they were, and the addresses those that this host would speak to the peers from. Throws E_NO_ROUTE. */
export function endsHere(
  connections: readonly Pick<MovingConnection, 'saved' | 'inside'>[],
  host: HostAddresses,
  addresses: NewAddresses,
): Connection[] {
  const sources = new Map<string, string>();
  const sourceTowards = (address: string): string => {
    const known = sources.get(address) ?? ownAddressTowards(address);
    sources.set(address, known);
    return known;
  };
  return connections.map(({ inside, saved: { family, local, remote } }) => {
    if (inside) return { local: placeOf(local, family, addresses), remote: placeOf(remote, family, addresses) };
    const there = otherEnd(remote, host) ?? remote;
    return { local: { address: sourceTowards(there.address), port: local.port }, remote: there };
  });
}

function placeOf(end: Endpoint, family: number, addresses: NewAddresses): Endpoint {
  const found = addresses.inside(end, family);
  if (found === null) throw new MigrunError('E_NO_ROUTE', `this host has no address in place of ${end.address}`);
  return found;
}

function ownAddressTowards(remote: string): string {
  const address = native.socketRouteSource(remote);
  if (address === null)
    throw new MigrunError('E_NO_ROUTE', `no route to the peer ${remote}`, { hint: 'does this host reach it?' });
  return address;
}
