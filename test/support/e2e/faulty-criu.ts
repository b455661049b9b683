import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from '../compile.js';
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

/** The next dump of this host stops when all is written, with CRIU's code still in the program; `go` lets it end. */
export function stopInDump({ stateDir }: Host): { reached: Promise<void>; go(): Promise<void> } {
  const [config, script, gate] = ['criu-config', 'criu-script', 'criu-gate'].map((name) => join(stateDir, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mkfifo', [gate]);
  writeFileSync(
    script,
    `#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0\necho >${gate}\nread -r go <${gate}\n`,
    { mode: 0o755 },
  );
  writeFileSync(config, `action-script ${script}\n`);
  return {
    reached: readFile(gate).then(() => rmSync(config)),
    go: async () => {
      await writeFile(gate, '\n');
      for (const file of [script, gate]) rmSync(file);
    },
  };
}

/** Every CRIU of this host stays after its last answer, as on a busy host, until it is killed. */
export function linger({ stateDir }: Host): { mend(): void } {
  const file = join(stateDir, 'criu-preload');
  const library = compile(['test/support/e2e/criu_lingers.c'], ['-shared', '-fPIC']);
  copyFileSync(library.path, file);
  library.remove();
  return { mend: () => rmSync(file) };
}
