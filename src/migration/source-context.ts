/** What a host has in hand, step by step, of a program that is to leave it: for another host, or into an image. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { CriuWorker } from '../criu/worker';
import type { ProgramSocket, QueuedSocket, SocketOption } from '../native/index';
import { ownAddresses, type ProgramFacts } from '../program/facts';
import type { PeerTicket } from '../protocol/control/index';
import type { Connection } from '../vocabulary/endpoint';
import { TCP_LISTEN } from '../vocabulary/sockets';
import type { Journal } from './journal';
import { leaseFor } from './lease';
import type { HostAddresses } from './local-connections';
import { connectionsOf } from './moved-peers';
import type { MovingUdp } from './moving-udp';
import type { MigrationTools, MovingProgram } from './program';
import { isConnecting, isConnection } from './rules';
import type { MovingConnection, MovingSet, MovingTimer } from './state';

/** A connection that the program has not accepted, taken out of the accept queue of a listening socket. */
export interface WaitingSocket {
  readonly socket: QueuedSocket;
  readonly listener: ProgramSocket;
}

export class SourceContext {
  readonly migration = randomBytes(16).toString('hex');
  readonly folder: string;
  worker: CriuWorker | undefined;
  facts: ProgramFacts | undefined;
  suspended = new Map<string, { connection: Connection; rcvNxt: number }>();
  /** The peers' answers to SUSPEND. */
  suspending: Promise<void> = Promise.resolve();
  tickets: PeerTicket[] = [];
  frozen = false;
  held: ProgramSocket[] = [];
  /** What the program has set on each of these. */
  options: SocketOption[][] = [];
  timers: MovingTimer[] = [];
  edges: MovingSet[] = [];
  /** Of the frozen program. */
  innerPids: ReadonlyMap<number, number> = new Map();
  /** Out of the accept queues. */
  waiting: WaitingSocket[] = [];
  /** The agent has them too. */
  kept = false;
  /** Waiting connections, by text, whose other ends are closed: nobody is told of them. */
  readonly alone = new Set<string>();
  locked = false;
  /** With `peerHas` from the transfer on. */
  saved: MovingConnection[] = [];
  savedFds: number[] = [];
  savedUdp: MovingUdp[] = [];
  /** This host's. */
  readonly addresses = ownAddresses();
  /** Those that the target can be reached from; known once it is open. */
  host: HostAddresses = { ipv4: null, ipv6: null };
  /** Keeps the peers' leases, and ours, from ending while we work. */
  lease: NodeJS.Timeout | undefined;
  round = 1;
  /** The last one, answered or failed. */
  renewal: Promise<void> = Promise.resolve();
  /** SUSPENDs that are not answered yet. */
  suspendings = 0;
  renewedAt: number | undefined;
  longestGap = 0;
  /** Why a renewal failed; nothing is committed then. */
  leaseFailure: unknown;
  /** Our locks have leases; not while CRIU dumps, and no more from the commit on. */
  leased = false;
  frozenAt = 0;

  constructor(
    readonly program: MovingProgram,
    readonly tools: MigrationTools,
    readonly journal: Journal,
  ) {
    this.folder = join(tools.config.runDir, 'migrations', this.migration);
  }

  get group(): string {
    return this.program.identity.group;
  }

  /** How long our locks and the peers' last where nobody renews them. */
  get leaseMs(): number {
    return leaseFor(this.connections.length);
  }

  /** As the preflight found them, those that wait to be accepted as well. */
  get connections(): Connection[] {
    const { sockets, waiting } = this.facts ?? { sockets: [], waiting: [] };
    return connectionsOf(sockets, waiting, this.addresses);
  }

  get listeners(): ProgramSocket[] {
    return this.held.filter(({ state }) => state === TCP_LISTEN);
  }

  /** All that we hold: the program's sockets, and what waited for it. */
  get sockets(): ProgramSocket[] {
    return [...this.held, ...this.waiting.map(({ socket }) => socket)];
  }

  /** Our descriptors of the sockets that are locked: connections, those to be, and listeners. */
  get liveFds(): number[] {
    return this.sockets.filter((socket) => isConnection(socket) || isConnecting(socket) || socket.state === TCP_LISTEN)
      .map(({ fd }) => fd);
  }

  /** Where the target finds this socket: the same descriptor of the process with the same pid in its own namespace. */
  placeOf({ pid, pfd }: ProgramSocket): { innerPid: number; fd: number } {
    return { innerPid: this.innerPids.get(pid) ?? 0, fd: pfd };
  }
}
