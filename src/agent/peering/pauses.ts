/**
 * Programs of this host that are paused: every connection is held at both ends, and nothing moves. The programs run on.
 *
 *   pause    HELLO; SUSPEND for the whole time; then our own ends are locked likewise, and made patient
 *   resume   our ends are revived in place, and wait; RESUME to where they are: the other ends follow; all are released
 *   the end  where nobody resumes, both ends' leases end, and each connection starts anew by itself (patience.ts)
 *
 * What is needed to resume is in a file too: the agent may be restarted meanwhile.
 */

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { MigrunError } from '../../errors';
import type { Native } from '../../native/contract';
import type { Clock } from '../../protocol/inband';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import { batched, Failure } from './batch';
import { heldMember } from './holds';
import type { Introductions } from './introductions';
import type { Moves } from './moves';
import { fdsOf, type Held, isHeld, type Patience } from './patience';
import type { Rebind, Rebinder } from './rebind';
import type { Sockets } from './sockets';
import { monotonicMs, type StateFiles } from './state-files';
import type { Member } from './suspension';
import { type PauseRequest, type PeerStatus, peerTicketSchema, type ResumedConnection } from './types';

/** Nothing stands still while the peers are asked, so that a host with much to do has its time to answer. */
const HELLO_MS = 5_000;
const SUSPEND_MS = 5_000;
/** The program does, until all have answered. A RESUME that is read later is followed all the same. */
const RESUME_MS = 5_000;

export const pauseRecord = z.object({
  version: z.literal(1),
  migration: z.string(),
  group: z.string(),
  /** Of CLOCK_MONOTONIC, in milliseconds. */
  until: z.number(),
  tickets: z.array(peerTicketSchema),
  members: z.array(heldMember.extend({ peerHas: z.int() })),
});
export type PauseRecord = z.infer<typeof pauseRecord>;

interface Pause {
  readonly migration: string;
  readonly group: string;
  readonly tickets: PauseRecord['tickets'];
  /** Each with what the other end has received. */
  readonly members: readonly (readonly [member: Member, peerHas: number])[];
  /** Of CLOCK_MONOTONIC, in milliseconds. */
  readonly until: number;
  endLease: () => void;
}

export class Pauses {
  /** By group; "beginning" while the peers are being asked. */
  private readonly pauses = new Map<string, Pause | 'beginning'>();

  constructor(
    private readonly native: Native,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly introductions: Introductions,
    private readonly moves: Moves,
    private readonly sockets: Sockets,
    private readonly rebinder: Rebinder,
    private readonly patience: Patience,
    private readonly files: StateFiles<PauseRecord>,
  ) {
    for (const record of files.read()) this.takeUp(record);
  }

  /** How long it lasts yet, in milliseconds; undefined: this program is not paused. */
  left(group: string): number | undefined {
    const pause = this.pauses.get(group);
    if (pause === undefined) return undefined;
    return pause === 'beginning' ? 0 : Math.max(0, pause.until - monotonicMs());
  }

  /** Where any status is not ok, nothing is held. The program must not be paused yet. */
  async pause({ group, connections, leaseMs }: PauseRequest): Promise<ResumedConnection[]> {
    this.pauses.set(group, 'beginning');
    const migration = randomBytes(16).toString('hex');
    const until = monotonicMs() + leaseMs;
    let begun = false;
    try {
      const introduced = await this.introductions.introduce({ group, connections, deadlineMs: HELLO_MS });
      if (introduced.some(({ status }) => status !== 'ok'))
        return introduced.map(({ connection, status }) => ({ connection, status }));
      const peers = await this.moves.suspend({
        migration,
        group,
        connections,
        leaseMs,
        round: 1,
        deadlineMs: SUSPEND_MS,
      });
      const held = peers.some(({ status }) => status !== 'ok') ? [] : this.hold(connections, leaseMs);
      const statuses = peers.map(({ connection, status }, index) => ({
        connection,
        status: status === 'ok' ? statusOf(held[index]) : status,
      }));
      begun = statuses.every(({ status }) => status === 'ok');
      if (!begun) {
        this.letGo(held.flatMap((one) => (typeof one === 'object' ? [one] : [])));
        return statuses;
      }
      const members = held.map((one, index) => [one as Held, peers[index]!.rcvNxt] as const);
      this.begin({
        migration,
        group,
        tickets: this.moves.tickets(migration),
        members,
        until,
        endLease: () => undefined,
      });
      return statuses;
    } finally {
      if (!begun) {
        this.pauses.delete(group);
        await this.moves.cancel({ migration, deadlineMs: SUSPEND_MS });
      }
    }
  }

  /** Both ends go on at once. A peer that does not answer goes on by itself when its lease ends. */
  async resume(group: string): Promise<ResumedConnection[]> {
    const pause = this.pauses.get(group);
    if (pause === undefined || pause === 'beginning') return [];
    const { migration, tickets, members } = pause;
    const held = members.filter((each): each is [Held, number] => isHeld(each[0]));
    const requests = held.map(([{ fd, inode, registration, patience }, peerHas]): Rebind => ({
      fd,
      inode,
      ...registration.connection,
      peerHas,
      windowIsShut: patience?.windowWasShut === true,
    }));
    const followed = new Map<string, PeerStatus>();
    const results = await this.rebinder.rebindTogether(requests, async (revived) => {
      const moved = [...revived].map(([request, peerHas]) => {
        const { connection } = held[requests.indexOf(request)]![0].registration;
        return { connection, to: connection, peerHas };
      });
      if (moved.length === 0) return;
      const answers = await this.moves.resume({
        migration,
        group,
        role: 'target',
        tickets,
        moved,
        deadlineMs: RESUME_MS,
      });
      for (const { connection, status } of answers) followed.set(connectionName(connection), status);
    });
    if (results.some((result) => result === 'busy' || result === 'not-permitted'))
      throw new MigrunError('E_BUSY', 'the program cannot be stopped for a moment', { hint: 'try again' });
    this.patience.end(held.map(([member]) => member));
    this.end(pause);
    return held.map(([{ registration: { connection } }], index) => {
      const status = results[index] === 'ok' ? (followed.get(connectionName(connection)) ?? 'no-agent') : 'failed';
      return { connection, status };
    });
  }

  /** They stay where they are written down: the next agent takes them up, or their leases end them. */
  close(): void {
    for (const pause of this.pauses.values()) {
      if (pause === 'beginning') continue;
      if (!this.files.isKept) this.lapse(pause);
      pause.endLease();
      this.drop(pause);
    }
  }

  private begin(pause: Pause): void {
    const { migration, group, until, tickets, members } = pause;
    this.pauses.set(group, pause);
    pause.endLease = this.clock.after(until - monotonicMs(), () => this.lapse(pause));
    const written = members.flatMap(
      ([
        { registration: { connection, owner }, patience },
        peerHas,
      ]) => (patience === null ? [] : [{ connection, owner, patience, peerHas }]),
    );
    this.files.write(group, { version: 1, migration, group, until, tickets, members: written });
  }

  private takeUp({ migration, group, until, tickets, members }: PauseRecord): void {
    const left = until - monotonicMs();
    const taken = this.sockets.take(members);
    const found = members.flatMap(({ connection, patience, peerHas }, index) => {
      const one = taken[index]!;
      if (typeof one === 'string') return [];
      return [[{ ...this.memberOf(connection, one), patience }, peerHas] as const];
    });
    const pause: Pause = { migration, group, tickets, members: found, until, endLease: () => undefined };
    this.log.info({ group, left, connections: found.length }, 'a pause was taken up');
    if (left <= 0) return this.lapse(pause);
    this.native.socketLock(found.map(([{ fd }]) => fd), left);
    this.begin(pause);
  }

  /** Our ends, locked; or why one cannot be. */
  private hold(connections: readonly Connection[], leaseMs: number): (Held | PeerStatus)[] {
    const taken = this.sockets.take(connections.map((connection) => ({ connection, owner: null })));
    const members = taken.map((
      one,
      index,
    ) => (typeof one === 'string' ? one : this.memberOf(connections[index]!, one)));
    const held = members.filter((one) => typeof one !== 'string');
    const locked = batched(held, (some) => {
      this.native.socketLock(fdsOf(some), leaseMs);
      return some;
    });
    const failed = new Set(held.filter((_member, index) => locked[index] instanceof Failure));
    this.patience.give(held.filter((member) => !failed.has(member)), leaseMs);
    return members.map((one) => (typeof one !== 'string' && failed.has(one) ? 'failed' : one));
  }

  private memberOf(connection: Connection, { fd, owner }: { fd: number; owner: { pid: number; fd: number } }): Held {
    const registration = { agent: '', group: '', token: '', connection, owner };
    return { registration, fd, inode: this.native.socketDescribe(fd).inode, moved: null, patience: null };
  }

  private lapse(pause: Pause): void {
    this.letGo(pause.members.map(([member]) => member));
    this.end(pause);
  }

  /** Unlocks; each starts anew. */
  private letGo(members: readonly Member[]): void {
    const others = this.patience.startAnew(members).filter(isHeld);
    const unlocked = batched(others, (some) => {
      this.native.socketUnlock(fdsOf(some));
      return some;
    });
    for (const one of unlocked)
      if (one instanceof Failure) this.log.warn({ err: one.error }, 'a connection was not unlocked; its lease ends it');
  }

  private end(pause: Pause): void {
    pause.endLease();
    this.drop(pause);
    this.files.remove(pause.group);
    this.pauses.delete(pause.group);
    this.moves.forget(pause.migration);
  }

  private drop({ members }: Pause): void {
    for (const [member] of members) {
      if (member.fd !== null) this.native.closeFd(member.fd);
      member.fd = null;
    }
  }
}

function statusOf(held: Held | PeerStatus | undefined): PeerStatus {
  if (held === undefined) return 'no-socket';
  return typeof held === 'string' ? held : 'ok';
}
