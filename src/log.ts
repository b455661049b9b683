/** One logger per process, to stderr as JSON lines or to a file; never to the program's own output. */
import pino, { type Logger } from 'pino';

export type { Logger } from 'pino';

export function createLogger(name: string, level: string, file?: string): Logger {
  const destination = pino.destination(
    file === undefined ? { dest: 2, sync: true } : { dest: file, append: true, mkdir: true, sync: true },
  );
  return pino({ name, level }, destination);
}
