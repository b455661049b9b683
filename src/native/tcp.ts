/**
 * TCP connections: saved from one socket, revived in another (native/tcp/tcp.h is the manual), and put into accept
 * queues (native/accept/accept_queue.h).
 */
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import type { ProgramSocket } from './socket';

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

/** What takes many sockets is one call; its error says in `index` at which one it stopped. */
export interface NativeTcp {
  /** Locked sockets only. Leaves them in TCP_REPAIR. */
  tcpSave(fds: readonly number[]): SavedSocket[];
  /** Takes saved sockets out of TCP_REPAIR without a packet, still locked: undo of save. */
  tcpUnsave(fds: readonly number[]): void;
  /** Each stays locked with no lease if `stayLocked`, and then sends nothing; `release` lets it go. */
  tcpRevive(requests: readonly ReviveRequest[], stayLocked: boolean): void;
  /** Unlocks revived sockets, has them leave repair, send what is unsent, and shut down again. */
  tcpRelease(fds: readonly number[]): void;
  /** Puts sockets in repair mode and closes our descriptors: where we have the last reference, no FIN and no RST. */
  tcpCloseSilently(fds: readonly number[]): void;
  /**
   * Starts a connect again that was in progress, from a closed socket and without waiting. Throws what connect(2)
   * refuses.
   */
  tcpConnectAgain(fd: number, family: number, connection: Connection): void;
  /**
   * Live sequence numbers of a connection of this network namespace, without touching the socket
   * (native/tcp/sequences.h). null: no such connection.
   */
  tcpSequences(connection: Connection): Sequences | null;

  /** TCP_USER_TIMEOUT of each, in milliseconds; 0: not set (native/tcp/user_timeout.h). */
  tcpUserTimeouts(fds: readonly number[]): number[];
  tcpSetUserTimeouts(fds: readonly number[], timeouts: readonly number[]): void;
  /**
   * Locked sockets live as long as the lease, and then as long as TCP would have waited. `own`: the program's
   * TCP_USER_TIMEOUTs.
   */
  tcpExtendUserTimeouts(fds: readonly number[], own: readonly number[], leaseMs: number): void;
  /** Whether the other end of a connection has closed its window. */
  tcpIsWindowShut(fd: number): boolean;
  /** Opens the shut windows of locked sockets by one segment; no thread that uses one of them may run. */
  tcpOpenWindows(fds: readonly number[]): void;
}

/** A connection that was taken out of an accept queue. */
export interface QueuedSocket extends ProgramSocket {
  /** SO_RCVBUF. */
  readonly receiveBuffer: number;
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

export interface NativeAccept {
  /**
   * What waits in a listening socket's accept queue, taken out of it in order, as far as there are descriptors for it.
   * Nobody else may accept.
   */
  acceptQueueTake(listener: number): QueuedSocket[];
  /** The state of a taken connection that its other end had reset meanwhile (TCP_CLOSE). */
  acceptQueueSaveReset(fd: number, remote: Endpoint): SavedSocket;
  /**
   * Puts connections into accept queues, in order, by handshakes that nobody outside hears; the listening sockets are
   * locked without a lease then. `pod` and `own` are the cgroups of the listening sockets and of this process.
   */
  acceptQueueFill(requests: readonly WaitingRequest[], pod: string, own: string): void;
  /**
   * Lets no reset reach a socket of this cgroup until the descriptor that is returned is closed: the lock of
   * connections that have no descriptor (native/accept/gate.h).
   */
  gateDropResets(pod: string): number;
}
