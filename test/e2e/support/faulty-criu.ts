import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './host.js';

/** The environment in which agents and programs use `criu` of this folder. */
export const FAULTY_CRIU = { MIGRUN_CRIU: join(__dirname, 'criu') };

/** CRIU's numbers of its faults (criu/include/fault-injection.h). */
const FAULTS = {
  'is killed while it dumps': 1,
  'is killed while it restores': 2,
  'cannot dump the memory': 3,
  'fails when all is restored': 6,
};
export type Fault = keyof typeof FAULTS;

/** Every CRIU of this host fails there from now on, until the fault is mended. */
export function setFault({ stateDir }: Host, fault: Fault): { mend(): void } {
  const file = join(stateDir, 'criu-fault');
  writeFileSync(file, String(FAULTS[fault]));
  return { mend: () => rmSync(file) };
}
