/** Stopping a program as a whole. Its shim is told, and hides what a freeze lets show (preload/freeze/attempt.h). */
import { native, type Registry } from '../native/index';
import { pidsOf } from './pod';

/** Throws ETIMEDOUT where it does not stand still by then; it runs on. */
export function freezeProgram(cgroup: string, registry: Registry | undefined, timeoutMs: number): void {
  registry?.beginFreeze();
  try {
    native.cgroupFreeze(cgroup, timeoutMs);
  } catch (error) {
    registry?.endFreeze();
    throw error;
  }
  if (registry?.hasTimeouts() === true) restartCalls(cgroup, registry, timeoutMs);
}

/** Those that the shim does not see. */
function restartCalls(cgroup: string, registry: Registry, timeoutMs: number): void {
  try {
    if (native.restartCalls(pidsOf(cgroup)) > 0) native.cgroupFreeze(cgroup, timeoutMs);
  } catch (error) {
    thawProgram(cgroup, registry);
    throw error;
  }
}

export function thawProgram(cgroup: string, registry: Registry | undefined): void {
  registry?.endFreeze();
  native.cgroupThaw(cgroup);
}
