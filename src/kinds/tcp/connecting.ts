/** Connects that are in progress: they begin again, from the new host. */
import { z } from 'zod';
import { native } from '../../native/index';
import { connection, endpoint } from '../../protocol/control/index';
import { isLoopback } from '../../vocabulary/addresses';
import { type Connection, connectionText, isLocal, isReceivedAt } from '../../vocabulary/endpoint';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { isConnecting, TCP_LISTEN } from '../../vocabulary/sockets';
import { judgeInside, judgeRoutes, type NewAddresses } from '../ends';
import { defineTravellingKind, type Facts, type Frozen } from '../kind';
import { distinct } from '../sockets/options';
import { addressFamily } from './saved-socket';

const wanted = z.object({
  outward: z.array(connection),
  /** The addresses of connects to the program itself. */
  inside: z.array(z.string().max(64)),
});
type Wanted = z.infer<typeof wanted>;

/** A socket that was connecting, with its ends as they were. */
const connectingSocket = place.extend({
  family: addressFamily,
  local: endpoint,
  remote: endpoint,
  /** The program listens there. */
  inside: z.boolean(),
});
type ConnectingSocket = z.infer<typeof connectingSocket>;

const end = { address: '::', port: 1 };

export const connecting = defineTravellingKind({
  name: 'connecting',

  refuse({ sockets }: Facts): Reason[] {
    const alone = sockets.filter((one) =>
      isConnecting(one) && isLoopback(one.remote.address) && !isHeard(one, sockets)
    );
    return alone.map((socket) => ({
      code: 'E_LOCAL_CONNECTION',
      message: `${
        connectionText(socket)
      } is just being made, to a program that stays on this host; try again when it is`,
    }));
  },

  needs: {
    schema: wanted,
    of({ sockets }: Facts): Wanted {
      const all = sockets.filter(isConnecting);
      const outward = all.filter((socket) => !isHeard(socket, sockets));
      const inside = all.filter((socket) => isHeard(socket, sockets));
      return {
        outward: outward.map(({ local, remote }) => ({ local, remote })),
        inside: distinct(inside.map(({ remote }) => remote.address)),
      };
    },
    judge({ outward, inside }: Wanted, addresses: NewAddresses): Reason[] {
      return [...judgeRoutes(outward.map(({ remote }) => remote.address), addresses),
        ...judgeInside(inside, addresses)];
    },
  },

  saved: {
    schema: z.array(connectingSocket),
    practice: [{ innerPid: 1, fd: 0, family: 10, local: end, remote: end, inside: false }],
  },

  leave: () => ({
    state: (frozen: Frozen): ConnectingSocket[] =>
      frozen.sockets.filter(isConnecting).map((socket) => {
        const { family, local, remote } = socket;
        return { ...frozen.placeOf(socket), family, local, remote, inside: isHeard(socket, frozen.sockets) };
      }),
  }),

  arrive: () => {
    let connects: readonly ConnectingSocket[] = [];
    return {
      revive: (saved) => void (connects = saved),
      pickUp: (saved) => void (connects = saved),
      /** Connects again: from here on the other ends hear of it. It may be repeated. */
      release({ descriptors, addresses, log }) {
        for (const { family, local, remote: old, inside, ...at } of connects) {
          const fd = descriptors.find(at);
          const remote = inside ? (addresses.inside(old, family) ?? old) : old;
          const address = native.socketRouteSource(remote.address);
          if (fd === undefined || address === null) continue;
          try {
            native.socketUnlock([fd]);
            native.tcpConnectAgain(fd, family, { local: { address, port: local.port }, remote });
          } catch (error) {
            log.warn({ err: error, remote }, 'a connect that was in progress failed'); // the program is told when it asks
          }
        }
      },
    };
  },
});

/** Whether it is to a socket of the program itself. */
function isHeard(connection: Connection, all: readonly (Connection & { readonly state: number })[]): boolean {
  const listening = all.filter(({ state }) => state === TCP_LISTEN).map(({ local }) => local);
  return isLocal(connection) && isReceivedAt(connection.remote, listening);
}
