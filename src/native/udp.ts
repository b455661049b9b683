/** UDP sockets: saved, revived with their queue, and connected to another address (native/udp/udp.h is the manual). */
import type { Endpoint } from '../vocabulary/endpoint';

/** An option that names an interface by its index. */
export interface SavedInterface {
  readonly level: number;
  readonly name: number;
  readonly interface: string;
}

export interface SavedMembership {
  readonly interface: string;
  readonly group: string;
  /** Takes from all sources but these; else from these only. */
  readonly excludes: boolean;
  readonly sources: readonly string[];
}

export interface SavedDatagram {
  readonly source: Endpoint;
  /** The address that it was sent to. */
  readonly destination: string;
  readonly hopLimit: number;
  readonly trafficClass: number;
  readonly bytes: Buffer;
}

export interface SavedUdp {
  readonly family: number;
  /** Port 0: not bound. */
  readonly local: Endpoint;
  /** Port 0: not connected. */
  readonly remote: Endpoint;
  /** IP_MULTICAST_IF, an address of the host; 0.0.0.0: not set. */
  readonly multicastInterface: string;
  readonly interfaces: readonly SavedInterface[];
  readonly memberships: readonly SavedMembership[];
  /** Its receive queue, the first one first. */
  readonly datagrams: readonly SavedDatagram[];
}

export interface ReviveUdpRequest {
  /** Our descriptor of the socket as CRIU made it: unbound, with its options. */
  readonly fd: number;
  readonly saved: SavedUdp;
  /** To bind to; port 0: it stays unbound. */
  readonly local: Endpoint;
  /** Port 0: it stays unconnected. */
  readonly remote: Endpoint;
}

export interface NativeUdp {
  /** Whether this network namespace has it. */
  udpHasInterface(name: string): boolean;
  /** The interfaces that a socket's options and multicast groups name. */
  udpInterfaces(fd: number): string[];
  /**
   * Waits until the kernel has sent all that these sockets gave it. Gives the index of one that holds a datagram back,
   * or null.
   */
  udpAwaitSent(fds: readonly number[], timeoutMs: number): number | null;
  /** Connects a connected socket to another address; its program may be running. */
  udpReconnect(fd: number, remote: Endpoint): void;
  /** The sockets' program stands still; they stay as they are. */
  udpSave(fds: readonly number[]): SavedUdp[];
  /**
   * All of a program's at once. From then on they take what comes. Gives how many datagrams of each did not come into
   * its queue.
   */
  udpRevive(requests: readonly ReviveUdpRequest[]): number[];
}
