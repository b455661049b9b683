/** UNIX sockets (native/unix/unix_sockets.h). */

export interface UnixSocket {
  readonly inode: number;
  /** SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET. */
  readonly type: number;
  /** TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE. */
  readonly state: number;
  /** Bits: 1 for receiving, 2 for sending. */
  readonly shutdown: number;
  /** The socket at its other end; 0: none, or one that waits to be accepted. */
  readonly peer: number;
  /** Bytes that it has sent and its other end has not received. */
  readonly unreceived: number;
  /** What it is bound to: a path, or an abstract name after "@". */
  readonly name: string | null;
  /** Inodes of the sockets whose connections wait to be accepted at this listening one; 0 where one is closed. */
  readonly waiting: readonly number[];
}

export interface NativeUnix {
  /** All of this network namespace. */
  unixSockets(): UnixSocket[];
  /**
   * What waits in the receive queue of a socket whose program stands still: whether there is a message of no bytes, and
   * our descriptors of those that are on their way.
   */
  unixLookAtQueue(fd: number): { hasEmpty: boolean; fds: number[] };
}
