/**
 * TCP sockets that are bound and not connected: some listen, and some may yet. CRIU could not bind a socket again whose
 * address is one of the old host's, or that has an address and no port. It makes such a socket without a name
 * (src/criu/files-image.ts), and the socket gets its new one here.
 */
import { z } from 'zod';
import { native, type ProgramSocket } from '../../native/index';
import { endpoint, socketOption } from '../../protocol/control/index';
import { isAnyAddress, isLoopback } from '../../vocabulary/addresses';
import { type Endpoint, endpointText } from '../../vocabulary/endpoint';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { isTcp, TCP_CLOSE, TCP_LISTEN } from '../../vocabulary/sockets';
import type { NewAddresses } from '../ends';
import { defineTravellingKind, type Facts } from '../kind';
import { distinct } from '../sockets/options';
import { addressFamily } from './saved-socket';

const wanted = z.object({ family: z.int(), local: endpoint, listens: z.boolean(), options: z.array(socketOption) });
type Wanted = z.infer<typeof wanted>;

/** A socket that CRIU leaves without a name. */
const nameless = place.extend({
  family: addressFamily,
  local: endpoint,
  /** The backlog of listen(2); null: it does not listen. */
  backlog: z.int().nonnegative().nullable(),
});
const schema = z.object({
  nameless: z.array(nameless),
  /** The places of the listening sockets, which arrive locked, as the dump found them. */
  listening: z.array(place.extend({ local: endpoint })),
});
type Saved = z.infer<typeof schema>;

const local = { address: '::', port: 1 };
const LISTENS = { state: 'LISTEN', remote: null, sendQueue: 0, receiveQueue: 0, waiting: false };

export const bound = defineTravellingKind({
  name: 'bound',

  needs: {
    schema: z.array(wanted),
    of({ sockets }: Facts): Wanted[] {
      return distinct(
        sockets.filter(isBound).map(({ family, local, state, options }) => ({
          family,
          local,
          listens: state === TCP_LISTEN,
          options: [...options],
        })),
      );
    },
    /** Tries one after the other: some share a port. */
    judge(wanted: Wanted[], addresses: NewAddresses): Reason[] {
      return wanted.flatMap(({ family, local, listens, options }) => {
        const here = addresses.local(withoutRemote(family, local));
        if (here === null)
          return [{ code: 'E_NO_ROUTE', message: `the target has no address in place of ${local.address}` }];
        const why = native.socketWhyNotBound(family, options, here, listens);
        if (why === null) return [];
        const what = listens ? 'listen on' : 'bind a socket to';
        return [{ code: 'E_PORT', message: `cannot ${what} ${endpointText(here)} there: ${why}` }];
      });
    },
  },

  saved: {
    schema,
    practice: {
      nameless: [{ innerPid: 1, fd: 0, family: 10, local, backlog: 1 }],
      listening: [{ innerPid: 1, fd: 0, local }],
    },
    summary: ({ listening }) => listening.map((at) => ({ ...at, ...LISTENS })),
  },

  leave: () => ({
    nameless: ({ sockets }) => sockets.filter(isNamedHere).map(({ inode }) => inode),
    state: (frozen): Saved => ({
      nameless: frozen.sockets.filter(isNamedHere).map((socket) => ({
        ...frozen.placeOf(socket),
        family: socket.family,
        local: socket.local,
        backlog: socket.state === TCP_LISTEN ? socket.backlogLimit : null,
      })),
      listening: frozen.sockets.filter(({ state }) => state === TCP_LISTEN).map((socket) => ({
        ...frozen.placeOf(socket),
        local: socket.local,
      })),
    }),
  }),

  arrive: () => {
    let listening: Saved['listening'] = [];
    return {
      /** Binds before any connection is revived: accepted connections have these ports. */
      revive(saved, { descriptors, addresses }) {
        listening = saved.listening;
        for (const { family, local, backlog, ...at } of saved.nameless)
          native.socketBind(descriptors.at(at), family, nameHere(family, local, addresses), backlog);
      },
      pickUp: (saved) => void (listening = saved.listening),
      release: ({ descriptors }) => native.socketUnlock(listening.flatMap((at) => descriptors.find(at) ?? [])),
    };
  },
});

type BoundSocket = Pick<ProgramSocket, 'type' | 'protocol' | 'state' | 'ended' | 'local'>;

function isBound(socket: BoundSocket): boolean {
  if (!isTcp(socket) || (socket.state !== TCP_LISTEN && (socket.state !== TCP_CLOSE || socket.ended))) return false;
  return socket.local.port !== 0 || !isAnyAddress(socket.local.address);
}

/** Whether CRIU leaves it without a name. */
function isNamedHere(socket: BoundSocket): boolean {
  const { address, port } = socket.local;
  return isBound(socket) && !isAnyAddress(address) && (port === 0 || !isLoopback(address));
}

function withoutRemote(family: number, local: Endpoint) {
  return { family, local, remote: { address: local.address, port: 0 } };
}

function nameHere(family: number, local: Endpoint, addresses: NewAddresses): Endpoint {
  return addresses.local(withoutRemote(family, local)) ?? local;
}
