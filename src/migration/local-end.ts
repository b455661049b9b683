/** Where connections that arrive have their ends here. */
import { MigrunError } from '../errors';
import { native, type Endpoint } from '../native/index';
import type { MovingConnection } from './state';

/** The addresses that this host would speak to the peers from, and the ports as they were. Throws E_NO_ROUTE. */
export function localEnds(connections: readonly Pick<MovingConnection, 'saved'>[]): Endpoint[] {
  const remotes = new Set(connections.map(({ saved }) => saved.remote.address));
  const addresses = new Map([...remotes].map((remote) => [remote, ownAddressTowards(remote)]));
  return connections.map(({ saved: { local, remote } }) => ({ address: addresses.get(remote.address) as string, port: local.port }));
}

function ownAddressTowards(remote: string): string {
  const address = native.routeSource(remote);
  if (address === null) throw new MigrunError('E_NO_ROUTE', `no route to the peer ${remote}`, { hint: 'does this host reach it?' });
  return address;
}
