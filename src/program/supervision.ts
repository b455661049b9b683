/**
 * Who supervises a program holds it: a listening abstract UNIX socket of its name. Such names belong to the network
 * namespace (unix(7)), so there is one holder on a host, and the kernel ends the hold with the process, however it
 * ends. Whoever is connected to it sees that end.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MigrunError } from '../errors';

/** A supervisor that is just ending has let go by then. */
const PATIENCE_MS = 5_000;

export class Hold {
  private readonly onlookers = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (onlooker) => {
      this.onlookers.add(onlooker);
      onlooker.on('error', () => onlooker.destroy());
      onlooker.on('close', () => this.onlookers.delete(onlooker));
      onlooker.resume();
    });
  }

  /** Throws E_SUPERVISED where another process holds the program, and goes on doing so. */
  static async take(id: string, patienceMs = PATIENCE_MS): Promise<Hold> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const server = await bind(id);
      if (server !== undefined) return new Hold(server);
      if (!(await holdEnded(id, deadline - performance.now()))) {
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

/** True once nobody holds the program; false where somebody still does after this time, if one is given. */
export function holdEnded(id: string, timeoutMs?: number, signal?: AbortSignal): Promise<boolean> {
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

function bind(id: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(nameOf(id), () => resolve(server));
  });
}

function nameOf(id: string): string {
  return `\0migrun-program-${id}`;
}
