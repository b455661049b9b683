/** The shim's registry of a program (preload/registry.h), reached through init, which keeps it open. */
import { native, type Registry } from '../native/index';
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
