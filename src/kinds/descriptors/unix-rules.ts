/**
 * Which UNIX sockets cannot move: CRIU 4.2 carries those with both ends in the program (criu/sk-unix.c). There is no
 * I/O here.
 */
import type { UnixSocket } from '../../native/index';
import type { Reason } from '../../vocabulary/refusal';
import { SOCK_DGRAM, TCP_ESTABLISHED } from '../../vocabulary/sockets';

const SHUT_BOTH = 3;

/** The program's own UNIX sockets, and those of this host that they are connected to. */
export interface UnixFacts {
  readonly own: readonly UnixSocket[];
  readonly others: readonly UnixSocket[];
}

export function unixFacts(inodes: ReadonlySet<number>, all: readonly UnixSocket[]): UnixFacts {
  const own = all.filter(({ inode }) => inodes.has(inode));
  const peers = new Set(own.map(({ peer }) => peer));
  return { own, others: all.filter(({ inode }) => peers.has(inode) && !inodes.has(inode)) };
}

export function reasonsOfUnix({ own, others }: UnixFacts): Reason[] {
  const inside = new Map(own.map((socket) => [socket.inode, socket]));
  const names = new Map(others.map((socket) => [socket.inode, socket.name]));
  const waiting = new Set(own.flatMap((socket) => socket.waiting));
  return own.flatMap((socket): Reason[] => {
    const why = whyNotListening(socket, inside) ?? whyNotConnected(socket, inside, names, waiting);
    return why === undefined ? [] : [{ code: 'E_UNIX_SOCKET', message: `the UNIX socket ${textOf(socket)} ${why}` }];
  });
}

function textOf({ name, inode }: UnixSocket): string {
  return name ?? `with inode ${inode}`;
}

function whyNotListening({ waiting }: UnixSocket, inside: ReadonlyMap<number, UnixSocket>): string | undefined {
  if (waiting.includes(0)) return 'has a connection waiting whose other end is closed; try again when it is accepted';
  if (waiting.some((inode) => !inside.has(inode))) return "has another program's connection waiting";
  return undefined;
}

function whyNotConnected(
  { inode, type, state, shutdown, peer, unreceived }: UnixSocket,
  inside: ReadonlyMap<number, UnixSocket>,
  names: ReadonlyMap<number, string | null>,
  waiting: ReadonlySet<number>,
): string | undefined {
  if (type === SOCK_DGRAM) {
    if (peer === 0) return undefined;
    const other = inside.get(peer);
    if (other === undefined)
      return typeof names.get(peer) === 'string'
        ? undefined
        : 'is connected to a socket without a name, of another program';
    return other.peer === inode || other.name !== null
      ? undefined
      : 'is connected to one without a name, which is not connected to it';
  }
  if (peer !== 0) return inside.has(peer) ? undefined : 'is connected to another program';
  if (state !== TCP_ESTABLISHED || shutdown === SHUT_BOTH) return undefined;
  if (!waiting.has(inode)) return 'waits to be accepted by another program';
  return unreceived === 0 ? undefined : 'has written what nobody has accepted yet; try again when it is accepted';
}

/** Names that its sockets are bound to: they must be free on its new host. */
export function boundNames({ own }: UnixFacts): string[] {
  return [...new Set(own.flatMap(({ name }) => name ?? []))];
}

/** Names of other programs' sockets that it sends to: somebody must have them on its new host. */
export function namesOfOthers({ others }: UnixFacts): string[] {
  return [...new Set(others.flatMap(({ name }) => name ?? []))];
}
