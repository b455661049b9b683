/** What the kernel's tables and /proc say of sockets: whose they are, and which there are (native/lookup/). */
import type { Connection } from '../vocabulary/endpoint';
import type { Watch } from './kernel';

/** The inode that all epoll sets have in common, to ask for them. */
export const EPOLL_INODE = 0;

/** What one look at the descriptors of processes has seen. */
export interface LookAround {
  /** Gives the owners of those sockets which all of their owners still have where they had them. */
  owners(inodes: readonly number[]): SocketOwner[];
  /** The epoll sets of these processes that they have still. */
  sets(pids: readonly number[]): SocketOwner[];
  /** Who had any of these. */
  pids(inodes: readonly number[]): number[];
}

export interface SocketOwner {
  readonly inode: number;
  readonly pid: number;
  readonly fd: number;
}

/** A socket of this network namespace, as inet_diag shows it. */
export interface DiagSocket {
  /** 0: no descriptor belongs to it. */
  readonly inode: number;
  readonly state: number;
  readonly connection: Connection;
  /** Bytes sent or to be sent, an unacknowledged FIN counted. */
  readonly unacknowledged: number;
  /** TCP MD5 keys; always false from `tcpConnections`. */
  readonly hasKeys: boolean;
}

export interface NativeLookup {
  /** Who has these socket inodes, or EPOLL_INODE: one look at the descriptors of all processes, or of some. */
  ownersFind(inodes: readonly number[], among?: readonly number[]): SocketOwner[];
  /** Looks at the descriptors of all processes, or of some, once, for questions that come later. */
  ownersLookAround(among?: readonly number[]): LookAround;
  /** The inodes of connections of this network namespace; null: there is none. Each is a look-up, not a dump. */
  diagConnectionInodes(connections: readonly Connection[]): (number | null)[];
  /** All TCP connections that are established or closing. */
  diagTcpConnections(): DiagSocket[];
  /** All UDP sockets that are bound. */
  diagUdpSockets(): DiagSocket[];
  /**
   * The TCP sockets of a cgroup (its folder's inode number), in these states; also those whose program has closed them.
   */
  diagTcpOfCgroup(cgroup: bigint, states: readonly number[]): DiagSocket[];
  /** Calls back when any TCP connection has ended, and needs no acknowledgement any more. */
  watchTcpEnds(onEnd: () => void): Watch;
}
