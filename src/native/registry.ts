/** What the shim knows of a program's sockets, and the kernel shows to nobody (native/registry/registry.h). */
import type { Watch } from './kernel';

/** What a program has set on a socket, or used, and the kernel shows to nobody. */
export type HiddenOption = 'group-program' | 'multicast-index' | 'multicast-stream' | 'fragment-size' | 'packet-info'
  | 'flow-label' | 'anycast' | 'policy' | 'keys' | 'zerocopy-numbers' | 'syn-read';

/** The shim's shared memory, mapped (preload/registry/registry.h). */
export interface Registry {
  /** Marks the start of a freeze; an EINTR or short count that a call returns across it is hidden by the shim. */
  beginFreeze(): void;
  endFreeze(): void;
  /** After a restore every socket has another inode. With the program still frozen. */
  moveInodes(pairs: readonly (readonly [from: number, to: number])[]): void;
  /** Forgets all sockets but these, which the program has open: killed processes forgot nothing. Frozen only. */
  sweep(open: readonly number[]): void;
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
  /** The inodes of the sockets of IPv4 and IPv6 that the shim knows. */
  inodes(): number[];
  close(): void;
}

export interface NativeRegistry {
  mapRegistry(memfd: number): Registry;
  /** Calls back at each wake-up of the shim's eventfd (taken over). */
  watchEvents(eventfd: number, onEvent: () => void): Watch;
}
