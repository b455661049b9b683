/** UDP sockets: CRIU makes them unbound, with their options; addresses and queues come from here (native/udp/udp.h). */
import { createSocket } from 'node:dgram';
import { z } from 'zod';
import { native, type ProgramSocket, type ReviveUdpRequest, type SavedUdp,
  type SocketOption } from '../../native/index';
import { endpoint } from '../../protocol/control/index';
import { UNSENT_TIMEOUT_MS } from '../../times';
import { type Connection, type Endpoint, endpointText } from '../../vocabulary/endpoint';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { AF_INET6, IPPROTO_IPV6, isUdp } from '../../vocabulary/sockets';
import { judgeRoutes, type NewAddresses } from '../ends';
import { type Arriving, defineTravellingKind, type Facts, type Frozen, type SavedPeer } from '../kind';
import { hasUdpPeer, isBound, reasonsOfUdp } from './rules';
import { practiceUdp, savedUdp } from './saved-udp';

const IPV6_V6ONLY = 26;

const wantedSocket = z.object({
  family: z.int(),
  local: endpoint,
  remote: endpoint,
  v6only: z.boolean(),
  /** The names of the interfaces that its options name. */
  interfaces: z.array(z.string().max(15)),
});
const wanted = z.object({
  sockets: z.array(wantedSocket),
  /** The addresses of other ends. */ peers: z.array(z.string().max(64)),
});
type Wanted = z.infer<typeof wanted>;

const movingUdp = place.extend({
  saved: savedUdp,
  /** The other end is somebody else's, and follows. */ hasPeer: z.boolean(),
});
type MovingUdp = z.infer<typeof movingUdp>;

export const udp = defineTravellingKind({
  name: 'udp',

  refuse({ sockets, addresses }: Facts): Reason[] {
    const all = sockets.filter(isUdp);
    const locals = all.map(({ local }) => local);
    return all.flatMap((socket) => reasonsOfUdp(socket, locals, addresses));
  },

  peers: peersOf,

  needs: {
    schema: wanted,
    of(facts: Facts): Wanted {
      const sockets = facts.sockets.filter(isUdp).map(({ family, local, remote, options, interfaces }) => {
        return { family, local, remote, v6only: options.some(isV6only), interfaces: [...interfaces] };
      });
      return { sockets, peers: peersOf(facts).map(({ remote }) => remote.address) };
    },
    judge,
  },

  saved: {
    schema: z.array(movingUdp),
    practice: [{ innerPid: 1, fd: 0, saved: practiceUdp, hasPeer: false }],
    peers(saved): SavedPeer[] {
      const peers = saved.filter(({ hasPeer }) => hasPeer);
      return peers.map(({ saved }) => ({ connection: connectionOf(saved), sndUna: 0, rcvNxt: 0 }));
    },
    summary: (saved) =>
      saved.map(({ innerPid, fd, saved: { local, remote, datagrams } }) => ({
        innerPid,
        fd,
        state: 'UDP',
        local,
        remote: remote.port === 0 ? null : remote,
        sendQueue: 0,
        receiveQueue: datagrams.reduce((sum, { bytes }) => sum + bytes.length, 0),
        waiting: false,
      })),
  },

  leave: ({ addresses }) => {
    let saved: readonly SavedUdp[] = [];
    return {
      refuse: ({ sockets }) => reasonsOfUnsent(sockets.filter(isUdp)),
      nameless: ({ sockets }) => sockets.filter((socket) => isUdp(socket) && isBound(socket)).map(({ inode }) => inode),
      save: ({ sockets }) => void (saved = native.udpSave(sockets.filter(isUdp).map(({ fd }) => fd))),
      state(frozen: Frozen): MovingUdp[] {
        const sockets = frozen.sockets.filter(isUdp);
        const locals = sockets.map(({ local }) => local);
        return sockets.map((socket, index) => ({
          ...frozen.placeOf(socket),
          saved: saved[index] as SavedUdp,
          hasPeer: hasUdpPeer(socket, locals, addresses),
        }));
      },
    };
  },

  arrive: (): Arriving<Wanted, MovingUdp[]> => ({
    revive(saved, { descriptors, addresses, log }) {
      const locals = saved.map((one) => one.saved.local);
      const requests = saved.map(({ saved, ...at }) => reviveRequest(saved, descriptors.at(at), addresses, locals));
      const lost = native.udpRevive(requests).reduce((sum, count) => sum + count, 0);
      if (lost > 0) log.warn({ lost }, 'datagrams that waited to be received did not come through');
      return saved.filter(({ hasPeer }) => hasPeer).map((at) => native.socketDescribe(descriptors.at(at)).local);
    },
    pickUp(saved, { descriptors }) {
      return saved.filter(({ hasPeer }) => hasPeer).map((at) => {
        const fd = descriptors.find(at);
        return fd === undefined ? null : native.socketDescribe(fd).local;
      });
    },
  }),
});

function peersOf({ sockets, addresses }: Facts): Connection[] {
  const all = sockets.filter(isUdp);
  const locals = all.map(({ local }) => local);
  return all.filter((socket) => hasUdpPeer(socket, locals, addresses)).map(connectionOf);
}

function connectionOf({ local, remote }: Connection): Connection {
  return { local, remote, udp: true };
}

/** Whether the program has set IPV6_V6ONLY; options that are as the host's default are not there. */
function isV6only({ level, name, value }: SocketOption): boolean {
  return level === IPPROTO_IPV6 && name === IPV6_V6ONLY && value[0] === 1;
}

/**
 * What a socket has begun and not sent when the program stands still is a datagram in parts (MSG_MORE): a reason to
 * refuse.
 */
function reasonsOfUnsent(sockets: readonly ProgramSocket[]): Reason[] {
  const index = native.udpAwaitSent(sockets.map(({ fd }) => fd), UNSENT_TIMEOUT_MS);
  if (index === null) return [];
  const who = `the UDP socket at ${endpointText((sockets[index] as ProgramSocket).local)}`;
  return [{ code: 'E_SOCKET_OPTION', message: `${who} has begun a datagram (MSG_MORE) and not sent it; try again` }];
}

/** `fd` is this host's descriptor of the socket. */
function reviveRequest(
  saved: SavedUdp,
  fd: number,
  addresses: NewAddresses,
  locals: readonly Endpoint[],
): ReviveUdpRequest {
  const { family } = saved;
  return {
    fd,
    saved: {
      ...saved,
      multicastInterface: addresses.multicastInterface(saved.multicastInterface),
      datagrams: saved.datagrams.map((datagram) => ({
        ...datagram,
        source: addresses.remote(datagram.source, family, locals),
      })),
    },
    local: addresses.local(saved) ?? saved.local,
    remote: addresses.remote(saved.remote, family, locals),
  };
}

async function judge({ sockets, peers }: Wanted, addresses: NewAddresses): Promise<Reason[]> {
  const names = [...new Set(sockets.flatMap(({ interfaces }) => interfaces))];
  const reasons: Reason[] = names.filter((name) => !native.udpHasInterface(name)).map((name) => ({
    code: 'E_INTERFACE',
    message: `there is no network interface ${name}, which a UDP socket uses`,
  }));
  reasons.push(...judgeRoutes(peers, addresses));
  const seen = new Set<string>();
  for (const { family, local, remote, v6only } of sockets) {
    const here = addresses.local({ family, local, remote });
    if (here === null) {
      reasons.push({ code: 'E_NO_ROUTE', message: `the target has no address in place of ${local.address}` });
      continue;
    }
    if (here.port === 0 || seen.has(endpointText(here))) continue;
    seen.add(endpointText(here)); // two of these may share a port
    const why = await whyNotBound(family, here, v6only);
    if (why === null) continue;
    reasons.push({ code: 'E_PORT', message: `cannot bind a UDP socket to ${endpointText(here)} there: ${why}` });
  }
  return reasons;
}

/** Tries it; gives null where it can be bound. */
function whyNotBound(family: number, { address, port }: Endpoint, v6only: boolean): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: family === AF_INET6 ? 'udp6' : 'udp4', ipv6Only: v6only });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
}
