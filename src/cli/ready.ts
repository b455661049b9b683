/** Tells whoever started this process (agent/spawn-self.ts) that it is ready. */
import { closeSync, writeSync } from 'node:fs';

export function sayReady(): void {
  const fd = Number(process.env['MIGRUN_READY_FD'] ?? -1);
  if (!(fd > 2)) return;
  delete process.env['MIGRUN_READY_FD'];
  writeSync(fd, 'ready\n');
  closeSync(fd);
}
