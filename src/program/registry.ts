/** The shim's registry of a program (preload/registry/registry.h), reached through init, which keeps it open. */
import { native, type ProgramSocket, type Registry } from '../native/index';
import { takeDescriptor } from './pidfds';
import { registryFdsOf } from './pod';

/** undefined: this init has none. */
export function mapRegistry(initPid: number): Registry | undefined {
  const fds = registryFdsOf(initPid);
  if (fds === undefined) return undefined;
  const memory = takeDescriptor(initPid, fds.memory);
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
export function sweepRegistry(registry: Registry | undefined, sockets: readonly Pick<ProgramSocket, 'inode'>[]): void {
  registry?.sweep(sockets.map(({ inode }) => inode));
}
