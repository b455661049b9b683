/** One logger per process. It writes JSON lines to stderr or to a file, never to the program's own output. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import pino, { type Logger } from 'pino';

export type { Logger } from 'pino';

export function createLogger(name: string, level: string, file?: string): Logger {
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return pino({ name, level }, pino.destination({ dest: file ?? 2, append: true, sync: true }));
}
