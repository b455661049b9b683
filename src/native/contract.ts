/** What the native addon offers. The addon throws Error objects with `code` (an errno name such as 'EPERM') and `syscall`. */

import type { Connection, Endpoint } from '../vocabulary/endpoint';
import type { NativeEdges } from './edges-contract';
import type { NativeUdp } from './udp-contract';
import type { NativeUnix } from './unix-contract';

export type { Connection, Endpoint };

/** One socket object of a program, held by us through pidfd_getfd(2). */
export interface HeldSocket {
  /** Our own descriptor of the same socket object; the caller closes it. */
  readonly fd: number;
  readonly inode: number;
  /** SO_COOKIE, unique for the life of the host. */
  readonly cookie: bigint;
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

/** A connection that was taken out of an accept queue. */
export interface TakenSocket extends HeldSocket {
  /** SO_RCVBUF. */
  readonly receiveBuffer: number;
}

/** What a socket has that nobody can carry: as the kernel shows it (native/socket_obstacles.h), or the shim saw it. */
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

/** What a program has set on a socket, or used, and the kernel shows to nobody (native/registry.h). */
export type HiddenOption = 'group-program' | 'multicast-index' | 'multicast-stream' | 'fragment-size' | 'packet-info'
  | 'flow-label' | 'anycast' | 'policy' | 'keys' | 'zerocopy-numbers' | 'syn-read';

/** An option that a program has set (native/socket_options.h). */
export interface SocketOption {
  readonly level: number;
  readonly name: number;
  readonly value: Buffer;
}

/** A locked connection's whole TCP state. Sequence numbers are unsigned 32 bit. */
export interface SavedSocket {
  readonly family: number;
  readonly state: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** First byte of sendQueue. */
  readonly sndUna: number;
  /** Next byte expected; a FIN that was received is not counted. */
  readonly rcvNxt: number;
  /** We sent a FIN (whether acknowledged or not); it is not in sendQueue nor in any number here. */
  readonly finSent: boolean;
  readonly finReceived: boolean;
  /** Not acknowledged and not yet sent bytes together, from sndUna on. */
  readonly sendQueue: Buffer;
  /** Received and acknowledged, not yet read by the program; ends at rcvNxt. */
  readonly receiveQueue: Buffer;
  /** TCPI_OPT_* bits of tcpi_options. */
  readonly options: number;
  readonly sndWscale: number;
  readonly rcvWscale: number;
  readonly mssClamp: number;
  /** SO_REUSEADDR as the program set it: TCP_REPAIR forces a value of its own, which is all that CRIU sees. */
  readonly reuseAddress: boolean;
  /** TCP_TIMESTAMP as read. */
  readonly timestamp: number;
  readonly window: { sndWl1: number; sndWnd: number; maxWindow: number; rcvWnd: number; rcvWup: number };
}

export interface ReviveRequest {
  /** Any TCP socket object: a live, locked, saved one (rebind) or a closed one (after criu restore --tcp-close). */
  readonly fd: number;
  readonly saved: SavedSocket;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The other end's rcvNxt (its SavedSocket.rcvNxt): what it has already is dropped from the front of sendQueue. */
  readonly peerHas: number;
}

export interface Sequences {
  readonly sndNxt: number;
  readonly sndUna: number;
  readonly rcvNxt: number;
  /** TCP_ESTABLISHED ... */
  readonly state: number;
}

/** Batch operations on held sockets (native/tcp_*.c). All are synchronous; a batch is one call. */
export interface NativeSockets {
  /** Every inet socket of these processes, each object once; where they are not frozen, of those that are still there. */
  collectSockets(pids: readonly number[]): HeldSocket[];
  /** One descriptor of ours described, without `pid`/`pfd` (both -1). */
  describeSocket(fd: number): HeldSocket;
  /** As `HeldSocket.state`, and nothing else of them. */
  tcpStates(fds: readonly number[]): number[];
  /** Drop everything that arrives; by itself again after leaseMs (0: no lease). A program's own filter is remembered per call result. Locking a locked socket renews. */
  lock(fds: readonly number[], leaseMs: number): void;
  /** Detaches the lock (and puts a program's own filter back where there was one). */
  unlock(fds: readonly number[]): void;
  /** Locked sockets only. Leaves them in TCP_REPAIR. */
  save(fds: readonly number[]): SavedSocket[];
  /** Takes saved sockets out of TCP_REPAIR without a packet (TCP_REPAIR_OFF_NO_WP), still locked: undo of save. */
  unsave(fds: readonly number[]): void;
  /** DESIGN 4.3 with `peerHas`. Each stays locked with no lease if `stayLocked`, and then sends nothing; `release` lets it go. */
  revive(requests: readonly ReviveRequest[], stayLocked: boolean): void;
  /** After revive(…, true): unlock, leave repair, send what is unsent, redo shutdowns. */
  release(fds: readonly number[]): void;
  /**
   * Starts a connect again that was in progress, from a closed socket and without waiting (native/tcp_connecting.h).
   * Throws what connect(2) refuses.
   */
  connectAgain(fd: number, family: number, connection: Connection): void;
  /** Gives a restored socket a local address, and makes it listen where there is a backlog; also where only connections have the port. */
  bindSocket(fd: number, family: number, local: Endpoint, backlog: number | null): void;
  /** A TCP port of an address of this host that no socket of it has; it is nobody's yet. */
  freePort(address: string): number;
  /** Puts sockets in repair mode and closes our descriptors: where we hold the last reference, no FIN and no RST. */
  closeSilently(fds: readonly number[]): void;
  /** Live sequence numbers of a connection of this network namespace, without touching the socket (bpf_sk_lookup_tcp in BPF_PROG_TEST_RUN). null: no such connection. */
  sequences(connection: Connection): Sequences | null;
}

/** A saved connection on its way into an accept queue. */
export interface WaitingRequest {
  /** Our descriptor of the listening socket, which is locked. */
  readonly listener: number;
  readonly saved: SavedSocket;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly receiveBuffer: number;
  /** The other end is not revived, so what it has told (a FIN) counts. */
  readonly peerStays: boolean;
}

/** Connections that nobody has accepted yet (native/accept_queue.h). */
export interface NativeAcceptQueues {
  /** What waits in a listening socket's accept queue, taken out of it in order, as far as there are descriptors for it. Nobody else may accept. */
  takeWaiting(listener: number): TakenSocket[];
  /** The state of a taken connection that its other end had reset meanwhile (TCP_CLOSE). */
  saveReset(fd: number, remote: Endpoint): SavedSocket;
  /** Puts connections into accept queues, in order, by handshakes that nobody outside hears; the listening sockets are locked without a lease then. `pod` and `own` are the cgroups of the listening sockets and of this process. */
  fillQueues(requests: readonly WaitingRequest[], pod: string, own: string): void;
  /** No reset reaches a socket of this cgroup until the descriptor that is returned is closed: the lock of connections that have no descriptor. */
  dropResets(pod: string): number;
}

/** Connections that are to outlive a long lock (native/tcp_patience.h). Times are in milliseconds. */
export interface NativePatience {
  /** TCP_USER_TIMEOUT of each; 0: not set. */
  userTimeouts(fds: readonly number[]): number[];
  setUserTimeouts(fds: readonly number[], timeouts: readonly number[]): void;
  /** Locked sockets live as long as the lease, and then as long as TCP would have waited. `own`: the program's TCP_USER_TIMEOUTs. */
  givePatience(fds: readonly number[], own: readonly number[], leaseMs: number): void;
  /** Whether the other end of a connection has closed its window. */
  isWindowShut(fd: number): boolean;
  /** Opens the shut windows of locked sockets by one segment; no thread that uses one of them may run. */
  openWindows(fds: readonly number[]): void;
}

/** The options that programs set (native/socket_options.c). */
export interface NativeOptions {
  /** Of each socket what differs from a new one's, in the order in which it is to be written. */
  readOptions(fds: readonly number[]): SocketOption[][];
  /**
   * What the sockets have not got yet, for each its options. `early`: they will be bound or connected later, and this be
   * called again; whatever is not among them becomes as on a new socket. The error is of the first option that the
   * kernel does not take; its `syscall` is the option's name.
   */
  writeOptions(fds: readonly number[], options: readonly (readonly SocketOption[])[], early: boolean): void;
  /** Binds a new TCP socket with these options for a moment, and listens on it: the errno name of what does not go, or null. */
  whyNotBound(family: number, options: readonly SocketOption[], local: Endpoint, listens: boolean): string | null;
  /** Tries them on a new socket: the name of the first that this kernel does not take, or null. */
  refusedOption(family: number, type: number, protocol: number, options: readonly SocketOption[]): string | null;
}

export interface Watch {
  close(): void;
}

export interface InbandSegment {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** 0 on UDP, as ack is. */
  readonly seq: number;
  readonly ack: number;
  /** The option's content after kind, length and ExID. */
  readonly option: Buffer;
  readonly body: Buffer;
}

export interface InbandEndpoint {
  /** Sends one segment (ACK flag set); seq is of the first body byte. Throws on a send error. */
  send(segment: InbandSegment): void;
  close(): void;
}

/** Where an inode is asked for: that of every epoll set. */
export const EPOLL_INODE = 0;

/** What one look at the descriptors of processes has seen. */
export interface LookAround {
  /** As `findOwners`, of those sockets whose owners have them still, all of them, where they had them. */
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

export interface MessageSocket {
  send(message: Buffer): void;
  close(): void;
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

/** Everything else that needs the kernel (native/*.c). */
/** timerfd_settime(2); times in nanoseconds, the end on the timer's clock as our own time namespace has it. */
export interface TimerSetting {
  readonly flags: number;
  readonly end: bigint;
  readonly interval: bigint;
  /** That nobody has read yet. */
  readonly expirations: bigint;
}

export interface NativeHost {
  pidfdOpen(pid: number): number;
  pidfdGetfd(pidfd: number, fd: number): number;
  closeFd(fd: number): void;
  /** Sets a timer of timerfd_create(2), which may be another process's. */
  setTimer(fd: number, setting: TimerSetting): void;
  /** clock_gettime(2), in nanoseconds. */
  clockNow(clock: number): bigint;
  /** prctl(PR_SET_CHILD_SUBREAPER). */
  becomeSubreaper(): void;
  /** Reaps one child (own or adopted) when it ends; code is 128 + signal for a signal. */
  watchExit(pidfd: number, onExit: (code: number) => void): Watch;
  /** Any pidfd: called once the process ended; nothing is reaped. */
  watchDeath(pidfd: number, onDeath: () => void): Watch;
  /** Writes cgroup.freeze and waits (poll on cgroup.events) until it is so; throws ETIMEDOUT, having thawed it again. */
  cgroupFreeze(path: string, timeoutMs: number): void;
  cgroupThaw(path: string): void;
  /** PTRACE_SEIZE + INTERRUPT of every thread of these processes; returns a handle. Must be released from the same thread. */
  ptraceFreeze(pids: readonly number[]): { release(): void };
  /** Of these processes, frozen by a cgroup: calls that the freeze made fail with EINTR (native/restart_calls.h). Gives how many. */
  restartCalls(pids: readonly number[]): number;
  /** Who holds these socket inodes, or EPOLL_INODE: one look at the descriptors of all processes, or of some. */
  findOwners(inodes: readonly number[], among?: readonly number[]): SocketOwner[];
  /** At all processes, or at some. */
  lookAround(among?: readonly number[]): LookAround;
  /** The inodes of connections of this network namespace by inet_diag; null: there is none. */
  connectionInodes(connections: readonly Connection[]): (number | null)[];
  /** All established-or-closing TCP connections of these socket inodes or of all (empty list), by inet_diag dump. */
  tcpConnections(): DiagSocket[];
  /** Calls back when any of them has ended, and needs no acknowledgement any more. */
  watchTcpEnds(onEnd: () => void): Watch;
  /** All UDP sockets that are bound. */
  udpSockets(): DiagSocket[];
  /** Those of a cgroup (its folder's inode number), in these states; also those whose program has closed them. */
  tcpOfCgroup(cgroup: bigint, states: readonly number[]): DiagSocket[];
  /** The source address that a packet to `address` would have here (route look-up); null: no route. */
  routeSource(address: string): string | null;
  /** One raw socket of this family, filtered to our option (kind 253, ExID "MGSK"), or on UDP to datagrams of ours. */
  openInband(family: 4 | 6, onSegment: (segment: InbandSegment) => void, protocol?: 'udp'): InbandEndpoint;
  seqpacketPair(): [number, number];
  /** Message-wise reading and writing of a SOCK_SEQPACKET descriptor, which it takes over. onClose once at EOF or error. */
  openMessageSocket(fd: number, onMessage: (message: Buffer) => void, onClose: () => void): MessageSocket;
  pipe(): [number, number];
  openPty(rows: number, columns: number): { master: number; slave: number };
  setWindowSize(fd: number, rows: number, columns: number): void;
  memfd(name: string): number;
  /** rename(2) that replaces nothing: throws EEXIST; EINVAL where the file system cannot. */
  renameNew(from: string, to: string): void;
}

/** The shim's shared memory, mapped (preload/registry.h). */
export interface Registry {
  /** Marks the start of a freeze; an EINTR or short count that a call returns across it is hidden by the shim. */
  beginFreeze(): void;
  endFreeze(): void;
  /** Sets or clears the freeze word of the record of this socket inode; false: no such record. */
  setFrozen(inode: number, frozen: boolean): boolean;
  /** After a restore every socket has another inode. With the program still frozen, before `setFrozen`. */
  moveInodes(pairs: readonly (readonly [from: number, to: number])[]): void;
  /** Drops the records of sockets that are not among these: left by killed processes. Frozen only. Gives how many. */
  sweep(aliveInodes: readonly number[]): number;
  /**
   * What the shim saw the program set: on these sockets; and on those that listen, or are bound, at these ports. Of a
   * group whose sockets were closed with their program, the port stays.
   */
  hiddenOptions(): {
    sockets: { inode: number; options: HiddenOption[] }[];
    groups: { protocol: number; port: number }[];
  };
  /** The program has set SO_RCVTIMEO or SO_SNDTIMEO on some socket. */
  hasTimeouts(): boolean;
  /** Records in use. */
  sockets(): { inode: number; family: number; type: number; state: string; references: number }[];
  close(): void;
}

export interface NativeRegistry {
  mapRegistry(memfd: number): Registry;
  /** Calls back at each wake-up of the shim's eventfd (taken over). */
  watchEvents(eventfd: number, onEvent: () => void): Watch;
}

export type Native = NativeSockets & NativeAcceptQueues & NativeUdp & NativeUnix & NativeOptions & NativePatience
  & NativeEdges & NativeHost & NativeRegistry;
