/** The shim's registry of a program (preload/registry.h), reached through init, which keeps it open. */
import { native, type Registry } from '../native/index';
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
