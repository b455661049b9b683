/**
 * Who supervises a program: one process of its host, which listens on an abstract UNIX socket of the program's name.
 * Such a name belongs to the network namespace (unix(7)), so no second process can have it, and the kernel takes it
 * back when the process ends, however that happens. Whoever is connected to the socket sees that end.
 */
import { connect, type Server, type Socket } from 'node:net';
import { MigrunError } from '../errors';
import { bindAbstract } from '../protocol/control/index';
import { TAKE_TIMEOUT_MS } from '../times';

export class Supervision {
  private readonly onlookers = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (onlooker) => {
      this.onlookers.add(onlooker);
      onlooker.on('error', () => onlooker.destroy());
      onlooker.on('close', () => this.onlookers.delete(onlooker));
      onlooker.resume();
    });
  }

  /** Throws E_SUPERVISED where another process supervises the program for all of this time. */
  static async take(id: string, timeoutMs = TAKE_TIMEOUT_MS): Promise<Supervision> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const server = await bindAbstract(nameOf(id));
      if (server !== undefined) return new Supervision(server);
      if (!(await supervisionEnded(id, deadline - performance.now()))) {
        throw new MigrunError('E_SUPERVISED', `program ${id} is supervised on this host already`, {
          hint: 'see it with: migrun ls',
        });
      }
    }
  }

  release(): void {
    this.server.close();
    for (const onlooker of this.onlookers) onlooker.destroy();
  }
}

/** True once nobody supervises the program; false when the time is over, or `signal` calls it off. */
export function supervisionEnded(id: string, timeoutMs?: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: nameOf(id) });
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(false), Math.max(0, timeoutMs));
    const onAbort = (): void => end(false);
    const end = (ended: boolean): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(ended);
    };
    signal?.addEventListener('abort', onAbort);
    socket.on('error', () => end(true)); // nobody listens
    socket.on('close', () => end(true));
    socket.resume();
    if (signal?.aborted === true) end(false);
  });
}

function nameOf(id: string): string {
  return `\0migrun-program-${id}`;
}
