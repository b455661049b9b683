/** Which ends of a program's connections are not its own, and what they are told. */
import type { ProgramSocket } from '../native/index';
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import { IPPROTO_UDP, SOCK_DGRAM } from '../vocabulary/sockets';
import { isUdp } from '../vocabulary/sockets';
import { OwnEnds } from './local-connections';
import { isConnection, type RuledSocket } from './rules';
import { hasPeer, movedConnections, type MovingState } from './state';
import { hasUdpPeer } from './udp-rules';

type Ends = Pick<ProgramSocket, 'local' | 'remote'>;
type Moving = Pick<MovingState, 'connections' | 'udp' | 'addresses' | 'host'>;
export type MovedPeer = ReturnType<typeof movedConnections>[number];

/** TCP's, then UDP's. `waiting`: what has not been accepted. `addresses`: the host's own. */
export function connectionsOf(
  sockets: readonly RuledSocket[],
  waiting: readonly Ends[],
  addresses: readonly string[],
): Connection[] {
  const own = new Set(addresses);
  const locals = sockets.filter(isUdp).map(({ local }) => local);
  const connections = [...waiting, ...sockets.filter(isConnection)];
  const ends = new OwnEnds(connections);
  return [...connections.filter((connection) => !ends.hasOther(connection)).map(tcp),
    ...sockets.filter((socket) => hasUdpPeer(socket, locals, own)).map(udp)];
}

/** The same of a program that is on its way. */
export function peersOf(state: Pick<Moving, 'connections' | 'udp' | 'addresses'>): Connection[] {
  return [...state.connections.filter(hasPeer).map(({ saved }) => tcp(saved)),
    ...udpWithPeers(state).map(({ saved }) => udp(saved))];
}

/** Its UDP sockets whose other ends must follow. */
export function udpWithPeers({ udp: sockets, addresses }: Pick<Moving, 'udp' | 'addresses'>): MovingState['udp'] {
  const own = new Set(addresses);
  const locals = sockets.map(({ saved }) => saved.local);
  return sockets.filter(({ saved: { local, remote } }) =>
    hasUdpPeer({ type: SOCK_DGRAM, protocol: IPPROTO_UDP, local, remote }, locals, own)
  );
}

/** `locals`: where the connections, then the UDP sockets with peers, are now. */
export function movedPeers(state: Moving, locals: readonly Endpoint[]): MovedPeer[] {
  const count = state.connections.length;
  return [...movedConnections(state.connections, locals.slice(0, count), state.host),
    ...movedUdp(udpWithPeers(state), locals.slice(count))];
}

/** `locals`: where they are now, one each. */
export function movedUdp(sockets: MovingState['udp'], locals: readonly Endpoint[]): MovedPeer[] {
  return sockets.map(({ saved }, index) => ({
    connection: udp(saved),
    to: { ...udp(saved), local: locals[index] ?? saved.local },
    peerHas: 0,
  }));
}

function tcp({ local, remote }: Ends): Connection {
  return { local, remote };
}

function udp({ local, remote }: Ends): Connection {
  return { local, remote, udp: true };
}
