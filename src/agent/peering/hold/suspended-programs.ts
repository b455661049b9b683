/**
 * Programs of this host that are suspended: every connection is held at both ends, and nothing moves. The programs run
 * on.
 *
 *   suspend  HELLO; LOCK for the whole time; then our own ends are locked likewise, with long user timeouts
 *   resume   our ends are revived in place, and wait; RESUME to where they are: the other ends follow; all are released
 *   the end  where nobody resumes, both ends' leases end, and each connection starts anew by itself (user-timeouts.ts)
 *
 * What is needed to resume is in a file too: the agent may be restarted meanwhile.
 */

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { MigrunError } from '../../../errors';
import { type PeerAnswer, type PeerStatus, peerTicket } from '../../../protocol/control/index';
import { CANCEL_HOLD_DEADLINE_MS, HELLO_DEADLINE_MS, LOCK_DEADLINE_MS, RESUME_DEADLINE_MS } from '../../../times';
import { type Connection, connectionName } from '../../../vocabulary/endpoint';
import type { AskedMigrations } from '../asked-migrations';
import type { HelloAsker } from '../hello/ask';
import { batched, Failure, fdsOf, type Host } from '../host';
import { askCancel, askLock } from '../lock/ask';
import { closeDescriptors, hasDescriptor, type LockedConnection, rebindOf, unlock,
  type WithDescriptor } from '../lock/lock';
import type { Rebinder } from '../rebind/rebind';
import { askResume } from '../resume';
import type { OurDescriptor, Sockets } from '../sockets';
import { heldConnection, monotonicMs, type RecordFiles } from './holds';
import type { UserTimeouts } from './user-timeouts';

export const suspendedRecord = z.object({
  version: z.literal(2),
  migration: z.string(),
  group: z.string(),
  /** When it ends, in milliseconds of CLOCK_MONOTONIC. */
  until: z.number(),
  tickets: z.array(peerTicket),
  connections: z.array(heldConnection.extend({ peerHas: z.int() })),
});
type SuspendedRecord = z.infer<typeof suspendedRecord>;

/** A connection of the program, and what its other end has received. */
type OurEnd = LockedConnection & { readonly peerHas: number };

interface SuspendedProgram {
  readonly migration: string;
  readonly group: string;
  readonly tickets: SuspendedRecord['tickets'];
  readonly ends: readonly OurEnd[];
  /** When it ends, in milliseconds of CLOCK_MONOTONIC. */
  readonly until: number;
  /** Calls off what is to happen then. */
  callOff: () => void;
}

interface SuspendedProgramsParts {
  readonly hello: HelloAsker;
  readonly migrations: AskedMigrations;
  readonly sockets: Sockets;
  readonly rebinder: Rebinder;
  readonly userTimeouts: UserTimeouts;
  readonly files: RecordFiles<SuspendedRecord>;
}

/** A program of this host whose connections are to be held at both ends. */
export interface SuspendRequest {
  readonly group: string;
  readonly connections: readonly Connection[];
  readonly leaseMs: number;
}

export class SuspendedPrograms {
  /** By group; "beginning" while the peers are being asked. */
  private readonly programs = new Map<string, SuspendedProgram | 'beginning'>();

  constructor(private readonly host: Host, private readonly parts: SuspendedProgramsParts) {
    for (const record of parts.files.read()) this.takeUp(record);
  }

  /** How long it lasts yet, in milliseconds; undefined: this program is not suspended. */
  left(group: string): number | undefined {
    const program = this.programs.get(group);
    if (program === undefined) return undefined;
    return program === 'beginning' ? 0 : Math.max(0, program.until - monotonicMs());
  }

  /** If any status is not ok, nothing is held. The program must not be suspended yet. */
  async suspend({ group, connections, leaseMs }: SuspendRequest): Promise<PeerAnswer[]> {
    const { hello, migrations } = this.parts;
    this.programs.set(group, 'beginning');
    const migration = randomBytes(16).toString('hex');
    const until = monotonicMs() + leaseMs;
    let begun = false;
    try {
      const introduced = await hello.introduce({ group, connections, deadlineMs: HELLO_DEADLINE_MS });
      if (introduced.some(({ status }) => status !== 'ok'))
        return introduced.map(({ connection, status }) => ({ connection, status }));
      const request = { migration, group, connections, leaseMs, round: 1, deadlineMs: LOCK_DEADLINE_MS };
      const peers = await askLock(migrations, hello, request);
      const ours = peers.some(({ status }) => status !== 'ok') ? [] : this.lock(connections, leaseMs);
      const statuses = peers.map(({ connection, status }, index) => ({
        connection,
        status: status === 'ok' ? statusOf(ours[index]) : status,
      }));
      begun = statuses.every(({ status }) => status === 'ok');
      if (!begun) {
        this.letGo(ours.filter((one) => typeof one !== 'string'));
        return statuses;
      }
      const ends = ours.flatMap((one, index) =>
        typeof one === 'string' ? [] : [Object.assign(one, { peerHas: peers[index]!.rcvNxt })]
      );
      const tickets = migrations.tickets(migration);
      this.begin({ migration, group, tickets, ends, until, callOff: () => undefined });
      return statuses;
    } finally {
      if (!begun) {
        this.programs.delete(group);
        await askCancel(migrations, { migration, deadlineMs: CANCEL_HOLD_DEADLINE_MS });
      }
    }
  }

  /** Both ends go on at once. A peer that does not answer goes on by itself when its lease ends. */
  async resume(group: string): Promise<PeerAnswer[]> {
    const program = this.programs.get(group);
    if (program === undefined || program === 'beginning') return [];
    const { migration, tickets } = program;
    const { migrations, rebinder, userTimeouts } = this.parts;
    const ends = program.ends.filter(hasDescriptor);
    const requests = ends.map((end) => rebindOf(end, { peerHas: end.peerHas }));
    const followed = new Map<string, PeerStatus>();
    const results = await rebinder.rebindTogether(requests, async (revived) => {
      const moved = [...revived].map(([request, peerHas]) => {
        const { connection } = ends[requests.indexOf(request)]!.registration;
        return { connection, to: connection, peerHas };
      });
      if (moved.length === 0) return;
      const request = { migration, group, role: 'target', tickets, moved, deadlineMs: RESUME_DEADLINE_MS } as const;
      for (const { connection, status } of await askResume(migrations, request))
        followed.set(connectionName(connection), status);
    });
    if (results.some((result) => result === 'busy' || result === 'not-permitted'))
      throw new MigrunError('E_BUSY', 'the program cannot be stopped for a moment', { hint: 'try again' });
    userTimeouts.giveBack(ends);
    this.end(program);
    return ends.map(({ registration: { connection } }, index) => {
      const status = results[index] === 'ok' ? (followed.get(connectionName(connection)) ?? 'no-agent') : 'failed';
      return { connection, status };
    });
  }

  /** Suspended programs stay so where they are written down: the next agent takes them up, or their leases end them. */
  close(): void {
    for (const program of this.programs.values()) {
      if (program === 'beginning') continue;
      if (!this.parts.files.outliveUs) this.lapse(program);
      program.callOff();
      closeDescriptors(this.host, program.ends);
    }
  }

  private begin(program: SuspendedProgram): void {
    const { migration, group, until, tickets, ends } = program;
    this.programs.set(group, program);
    program.callOff = this.host.clock.after(until - monotonicMs(), () => this.lapse(program));
    const connections = ends.flatMap(({ registration: { connection, location }, hold, peerHas }) =>
      hold === null ? [] : [{ connection, location, hold, peerHas }]
    );
    this.parts.files.write(group, { version: 2, migration, group, until, tickets, connections });
  }

  private takeUp({ migration, group, until, tickets, connections }: SuspendedRecord): void {
    const { log, native } = this.host;
    const left = until - monotonicMs();
    const taken = this.parts.sockets.take(connections);
    const ends = connections.flatMap(({ connection, hold, peerHas }, index) => {
      const one = taken[index]!;
      return typeof one === 'string' ? [] : [{ ...ourEnd(connection, one), hold, peerHas }];
    });
    const program: SuspendedProgram = { migration, group, tickets, ends, until, callOff: () => undefined };
    log.info({ group, left, connections: ends.length }, 'a suspended program was taken up');
    if (left <= 0) return this.lapse(program);
    native.socketLock(fdsOf(ends), left);
    this.begin(program);
  }

  /** Our ends, locked and held; or why one cannot be. */
  private lock(connections: readonly Connection[], leaseMs: number): (WithDescriptor<LockedConnection> | PeerStatus)[] {
    const { sockets, userTimeouts } = this.parts;
    const taken = sockets.take(connections.map((connection) => ({ connection, location: null })));
    const ends = taken.map((one, index) => (typeof one === 'string' ? one : ourEnd(connections[index]!, one)));
    const found = ends.filter((one) => typeof one !== 'string');
    const locked = batched(found, (some) => this.host.native.socketLock(fdsOf(some), leaseMs));
    const failed = new Set(found.filter((_end, index) => locked[index] instanceof Failure));
    userTimeouts.lengthen(found.filter((end) => !failed.has(end)), leaseMs);
    return ends.map((one) => (typeof one !== 'string' && failed.has(one) ? 'failed' : one));
  }

  private lapse(program: SuspendedProgram): void {
    this.letGo(program.ends);
    this.end(program);
  }

  /** Each starts anew, unlocked. */
  private letGo(ends: readonly LockedConnection[]): void {
    unlock(this.host, this.parts.userTimeouts.startAnew(ends));
    closeDescriptors(this.host, ends);
  }

  private end(program: SuspendedProgram): void {
    program.callOff();
    closeDescriptors(this.host, program.ends);
    this.parts.files.remove(program.group);
    this.programs.delete(program.group);
    this.parts.migrations.forget(program.migration);
  }
}

function ourEnd(connection: Connection, { fd, inode, location }: OurDescriptor): WithDescriptor<LockedConnection> {
  return {
    registration: { agent: '', group: '', token: '', connection, location },
    fd,
    inode,
    movedTo: null,
    hold: null,
  };
}

function statusOf(end: WithDescriptor<LockedConnection> | PeerStatus | undefined): PeerStatus {
  if (end === undefined) return 'no-socket';
  return typeof end === 'string' ? end : 'ok';
}
