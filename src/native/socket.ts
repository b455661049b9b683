/** Sockets of every kind: which a program has, their options and names, and the lock (native/socket/). */
import type { Endpoint } from '../vocabulary/endpoint';
import type { HiddenOption } from './registry';

/** One socket object of a program, of which we have a descriptor too (pidfd_getfd(2)). */
export interface ProgramSocket {
  /** Our own descriptor of the same socket object; the caller closes it. */
  readonly fd: number;
  readonly inode: number;
  /** The first (pid, fd) at which it was found, pid as this process sees it. */
  readonly pid: number;
  readonly pfd: number;
  /** AF_INET 2 or AF_INET6 10; SOCK_STREAM 1, SOCK_DGRAM 2; IPPROTO_*. */
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  /** TCP_* from netinet/tcp.h (TCP_ESTABLISHED 1 ... TCP_LISTEN 10); 0 where not TCP. */
  readonly state: number;
  readonly local: Endpoint;
  /** Port 0 where not connected. */
  readonly remote: Endpoint;
  /** Connections waiting in the accept queue; listening sockets only, else 0. */
  readonly backlog: number;
  /** listen(2)'s; listening sockets only, else 0. */
  readonly backlogLimit: number;
  /** TCP: it was connected once, or tried to be, and is closed now. */
  readonly ended: boolean;
  readonly obstacles: readonly SocketObstacle[];
}

/** What a socket has that nobody can carry: as the kernel shows it (native/socket/obstacles.h), or the shim saw it. */
export type SocketObstacle =
  | 'ebpf-filter'
  | 'locked-filter'
  | 'upper-layer'
  | 'authentication'
  | 'urgent-data'
  | 'zerocopy'
  | 'error-queue'
  | 'interface'
  | 'extension-headers'
  | 'fast-open'
  | 'ended'
  | 'corked'
  | 'encapsulation'
  | 'timestamp-numbers'
  | 'saved-syn'
  | Exclude<HiddenOption, 'keys' | 'syn-read'>;

/** An option that a program has set (native/socket/options.h). */
export interface SocketOption {
  readonly level: number;
  readonly name: number;
  readonly value: Buffer;
}

/** What takes many sockets is one call; its error says in `index` at which one it stopped. */
export interface NativeSocket {
  /**
   * Every inet socket of these processes, each object once; where they are not frozen, of those that are still there.
   */
  socketCollect(pids: readonly number[]): ProgramSocket[];
  /** One descriptor of ours described, without `pid`/`pfd` (both -1). */
  socketDescribe(fd: number): ProgramSocket;
  /** The `state` of each, and nothing else of them. */
  socketTcpStates(fds: readonly number[]): number[];
  /**
   * Drops everything that arrives at these sockets, until it is unlocked, or leaseMs have passed (0: no lease). Locking
   * a locked socket renews. A program's own filter is put back with the unlock.
   */
  socketLock(fds: readonly number[], leaseMs: number): void;
  socketUnlock(fds: readonly number[]): void;
  /**
   * Gives a restored socket a local address, and makes it listen where there is a backlog; also where only connections
   * have the port.
   */
  socketBind(fd: number, family: number, local: Endpoint, backlog: number | null): void;
  /** A TCP port of an address of this host that no socket of it has; it is nobody's yet. */
  socketFreePort(address: string): number;
  /** The source address that a packet to `address` would have here (route look-up); null: no route. */
  socketRouteSource(address: string): string | null;
  /** Reads of each socket what differs from a new one's, in the order in which it is to be written. */
  socketReadOptions(fds: readonly number[]): SocketOption[][];
  /**
   * Sets what the sockets have not got yet, for each its options. `early`: they will be bound or connected later, and
   * this be called again; whatever is not among them becomes as on a new socket. The error is of the first option that
   * the kernel does not take; its `syscall` is the option's name.
   */
  socketWriteOptions(fds: readonly number[], options: readonly (readonly SocketOption[])[], early: boolean): void;
  /** Tries them on a new socket: the name of the first that this kernel does not take, or null. */
  socketRefusedOption(family: number, type: number, protocol: number, options: readonly SocketOption[]): string | null;
  /**
   * Binds a new TCP socket with these options for a moment, and listens on it: the errno name of what does not go, or
   * null.
   */
  socketWhyNotBound(family: number, options: readonly SocketOption[], local: Endpoint, listens: boolean): string | null;
}
