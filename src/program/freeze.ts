/** Stopping a program as a whole. Its shim is told, and hides what a freeze lets show (preload/freeze.c). */
import { native, type Registry } from '../native/index';

/** Throws ETIMEDOUT where it does not stand still by then; it runs on. */
export function freezeProgram(cgroup: string, registry: Registry | undefined, timeoutMs: number): void {
  registry?.beginFreeze();
  try {
    native.cgroupFreeze(cgroup, timeoutMs);
  } catch (error) {
    registry?.endFreeze();
    throw error;
  }
}

export function thawProgram(cgroup: string, registry: Registry | undefined): void {
  registry?.endFreeze();
  native.cgroupThaw(cgroup);
}
