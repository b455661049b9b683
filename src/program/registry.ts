/** The shim's registry of a program (preload/registry.h), reached through init, which keeps it open. */
import { type HeldSocket, native, type Registry } from '../native/index';
import { registryFdsOf, takeFromInit } from './pod';

/** undefined: this init has none. */
export function mapRegistry(initPid: number): Registry | undefined {
  const fds = registryFdsOf(initPid);
  if (fds === undefined) return undefined;
  const memory = takeFromInit(initPid, fds.memory);
  try {
    return native.mapRegistry(memory);
  } finally {
    native.closeFd(memory);
  }
}

/**
 * Forgets what killed processes left in it, which every move would carry, and which could name another socket on the next
 * host. The program stands still, and these are all of its sockets of IPv4 and IPv6.
 */
export function sweepRegistry(registry: Registry | undefined, sockets: readonly Pick<HeldSocket, 'inode'>[]): void {
  registry?.sweep(sockets.map(({ inode }) => inode));
}
