/**
 * The answering side of SUSPEND and CANCEL: other programs' peers on this host, locked for the time of a lease.
 *
 * While a connection is locked we hold a descriptor of it. Should its program close it or end meanwhile, the kernel
 * says so to the other side when we let go of it: after the rebind, on the new path, or at the end of the lease.
 */

import type { Logger } from 'pino';
import type { Native } from '../../native/contract';
import { answerWindow, freshCounter, Move, Replies, splitIntoParts, SUSPENDED_ENTRIES } from '../../protocol/inband';
import type { Clock, Keyring, Pair, Status, Suspend, Suspended, SuspendedEntry } from '../../protocol/inband';
import { batched, Failure } from './batch';
import type { HoldRecord, Holds } from './holds';
import type { Owners } from './owners';
import type { Patience } from './patience';
import type { Registrations } from './registrations';
import type { ArrivedSegment, Segments } from './segments';
import type { Sockets } from './sockets';
import { type Member, newSuspension, type Suspension } from './suspension';
import type { SuspensionFacts, SuspensionState } from './types';
import type { UdpPeers } from './udp-peers';

/** However long another host asks for. */
const MAX_LEASE_MS = 7 * 24 * 3600_000;
const MAX_SUSPENSIONS = 1024;
/** Ten times what it takes where nothing else runs. */
const WORK_PER_CONNECTION_MS = 1;
const ANNOUNCED_FROM_MS = 100;

export class Suspensions {
  private readonly suspensions = new Map<string, Suspension>();
  private readonly replies = new Replies<Suspended[]>();

  constructor(
    private readonly native: Native,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly keyring: Keyring,
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly registrations: Registrations,
    private readonly owners: Owners,
    private readonly holds: Holds,
    private readonly patience: Patience,
    private readonly udpPeers: UdpPeers,
  ) {
    for (const { record, leftMs } of holds.records()) this.takeUp(record, leftMs);
  }

  onSuspend(message: Suspend, pair: Pair, segment: ArrivedSegment): void {
    const { migration, round, from } = message;
    const scope = suspensionName(pair.peerId, migration);
    const request = `suspend ${round}`;
    const reply = this.replies.begin(scope, request);
    if (reply.state === 'working') return;
    if (reply.state === 'new') this.announceWork(message, pair, segment);
    const answers = reply.state === 'answered' ? reply.answer : this.suspend(message, pair);
    if (answers === null) return this.replies.abandon(scope, request);
    this.replies.answer(scope, request, answers);
    for (const answer of answerWindow(answers, from)) this.segments.answer(pair.seal(answer), segment);
    if (reply.state !== 'answered') this.noteOwners(scope);
  }

  /** Locking is one synchronous stretch. */
  private announceWork({ migration, group, round }: Suspend, pair: Pair, segment: ArrivedSegment): void {
    const ms = this.registrations.count(pair.peerId, group) * WORK_PER_CONNECTION_MS;
    if (ms > ANNOUNCED_FROM_MS) this.segments.answer(pair.seal({ type: 'working', migration, round, ms }), segment);
  }

  onCancel(move: Move, segment: ArrivedSegment): void {
    const { migration, sourceId } = move.ticket;
    const suspension = this.suspensions.get(suspensionName(sourceId, migration));
    if (suspension !== undefined && suspension.state !== 'cancelled') this.end(suspension, 'cancelled');
    this.segments.answer(move.seal({ type: 'cancelled', migration }), segment);
  }

  /** That may still be resumed. */
  find({ ticket }: Move): Suspension | undefined {
    const suspension = this.suspensions.get(suspensionName(ticket.sourceId, ticket.migration));
    return suspension?.state === 'cancelled' ? undefined : suspension;
  }

  /** Of members that are locked, and those whose descriptor is still there: unlocks. */
  release(members: readonly Member[]): void {
    const fds = members.flatMap((member) => (member.fd === null ? [] : [member.fd]));
    const failed = batched(fds, (some) => {
      this.native.socketUnlock(some);
      return some;
    });
    for (const failure of failed) {
      if (failure instanceof Failure)
        this.log.warn({ err: failure.error }, 'a peer was not unlocked; its lease ends it');
    }
    this.drop(members);
  }

  /** While the source is busy with its dump; what takes long here is not part of the pause. Hours later it is worth nothing. */
  private noteOwners(name: string): void {
    const suspension = this.suspensions.get(name);
    if (suspension !== undefined) this.owners.note(noted(suspension));
  }

  /** At the first RESUME: while its parts come, one after the other, who owns what is looked at no more than once. */
  beginResumption(suspension: Suspension): void {
    if (suspension.resuming) return;
    suspension.resuming = true;
    this.owners.renew(noted(suspension));
  }

  /** A member that is rebound and unlocked. */
  followed(member: Member): void {
    this.patience.end([member]);
    this.drop([member]);
  }

  /** For the agent after this one: members have followed. */
  note(suspension: Suspension): void {
    this.holds.update(suspension, suspension.until - this.clock.now());
  }

  /** Closes our descriptors. */
  drop(members: readonly Member[]): void {
    this.owners.forget(members.map(({ inode }) => inode));
    for (const member of members) {
      if (member.fd !== null) this.native.closeFd(member.fd);
      member.fd = null;
    }
  }

  isSuspended(pid: number): boolean {
    return [...this.suspensions.values()].some(({ members }) =>
      [...members.values()].some(({ fd, registration }) => fd !== null && registration.owner.pid === pid)
    );
  }

  facts(): SuspensionFacts[] {
    return [...this.suspensions.values()].map(({ migration, group, agent, state, until, members }) => ({
      migration,
      group,
      agent,
      state,
      leftMs: state === 'active' ? Math.max(0, until - this.clock.now()) : 0,
      locked: [...members.values()].filter(({ fd }) => fd !== null).length,
      moved: [...members.values()].filter(({ moved }) => moved !== null).length,
    }));
  }

  /** Holds stay: the next agent takes them up, or their leases end them. */
  close(): void {
    for (const suspension of this.suspensions.values()) {
      if (!this.holds.outlivesUs(suspension)) this.end(suspension, 'cancelled');
      suspension.endLease();
      this.drop([...suspension.members.values()]);
    }
  }

  /** null: not to be answered. */
  private suspend(message: Suspend, pair: Pair): Suspended[] | null {
    const { migration, round } = message;
    const suspension = this.suspensionFor(message, pair);
    if (suspension === 'refused') return null;
    const entries = suspension === 'unknown group' ? [] : this.lock(suspension, message);
    return splitIntoParts(entries, SUSPENDED_ENTRIES).map((part) => ({ type: 'suspended', migration, round, ...part }));
  }

  private suspensionFor(message: Suspend, pair: Pair): Suspension | 'unknown group' | 'refused' {
    const { migration, group, round } = message;
    const name = suspensionName(pair.peerId, migration);
    const known = this.suspensions.get(name);
    if (known !== undefined) {
      const isStale = known.state === 'cancelled' || known.group !== group || round < known.round;
      return isStale ? 'refused' : known;
    }
    if (this.registrations.of(pair.peerId, group).length === 0 && !this.udpPeers.has(pair.peerId, group))
      return 'unknown group';
    this.supersede(pair.peerId, group);
    if (!this.makeRoom()) return 'refused';
    const suspension = newSuspension(this.keyring.follow(pair, migration), group, round);
    this.suspensions.set(name, suspension);
    return suspension;
  }

  /** What an agent before this one held. Where its lease has ended, its connections start anew. */
  private takeUp({ ticket, group, round, members }: HoldRecord, leftMs: number): void {
    const suspension = newSuspension(new Move(ticket, 'peer', freshCounter()), group, round);
    this.suspensions.set(suspensionName(ticket.sourceId, ticket.migration), suspension);
    const registrations = members.map(({ token, connection, owner }) => ({
      agent: ticket.sourceId,
      group,
      token,
      connection,
      owner,
    }));
    const taken = this.sockets.take(registrations);
    registrations.forEach((registration, index) => {
      const one = taken[index]!;
      if (typeof one === 'string')
        return this.log.warn(
          { connection: registration.connection, status: one },
          'a peer that was held is not there any more',
        );
      registration.owner = one.owner;
      this.registrations.add(registration);
      const { fd, inode } = one;
      suspension.members.set(registration.token, {
        registration,
        fd,
        inode,
        moved: null,
        patience: members[index]!.patience,
      });
    });
    if (leftMs > 0) this.lockMembers(suspension, leftMs);
    else this.end(suspension, 'lapsed');
    this.log.info({ group, leftMs, connections: suspension.members.size }, 'a hold was taken up');
  }

  /** Locks what is registered, renews what is locked. */
  private lock(suspension: Suspension, { leaseMs, round }: Suspend): SuspendedEntry[] {
    const statuses = this.hold(suspension);
    const entries = this.lockMembers(suspension, Math.min(Math.max(leaseMs, 1), MAX_LEASE_MS));
    suspension.round = round;
    const refused = [...statuses].map(([token, status]) => ({ token, status, rcvNxt: 0 }));
    const udp = this.udpPeers.statuses(suspension.agent, suspension.group).map((entry) => ({ ...entry, rcvNxt: 0 }));
    return [...entries, ...refused, ...udp];
  }

  private lockMembers(suspension: Suspension, lease: number): SuspendedEntry[] {
    const held = [...suspension.members.values()].filter(({ fd }) => fd !== null);
    const locked = batched(held, (members) => {
      this.native.socketLock(members.map(({ fd }) => fd!), lease);
      return members;
    });
    const entries = held.map((member, index) => this.lockedEntry(member, locked[index]!));
    this.release(held.filter((_member, index) => entries[index]!.status !== 'ok'));
    suspension.state = 'active';
    suspension.endLease();
    suspension.until = this.clock.now() + lease;
    suspension.endLease = this.clock.after(lease, () => this.end(suspension, 'lapsed'));
    this.holds.begin(suspension, lease);
    return entries;
  }

  /** Descriptors for what is registered and not held; the status of what cannot be had, by token. */
  private hold({ agent, group, members }: Suspension): Map<string, Status> {
    const absent = this.registrations
      .of(agent, group)
      .filter(({ token }) => (members.get(token)?.fd ?? null) === null && (members.get(token)?.moved ?? null) === null);
    const taken = this.sockets.take(absent);
    const refused = new Map<string, Status>();
    absent.forEach((registration, index) => {
      const one = taken[index]!;
      if (typeof one === 'string') {
        refused.set(registration.token, one);
        if (one === 'no-socket') this.registrations.remove(registration);
        return;
      }
      registration.owner = one.owner;
      members.set(registration.token, { registration, fd: one.fd, inode: one.inode, moved: null, patience: null });
    });
    return refused;
  }

  private lockedEntry({ registration: { token, connection } }: Member, locked: Member | Failure): SuspendedEntry {
    if (locked instanceof Failure) {
      this.log.warn({ err: locked.error, connection }, 'a peer cannot be locked');
      return { token, status: locked.isPermission ? 'not-permitted' : 'failed', rcvNxt: 0 };
    }
    const rcvNxt = this.sockets.received(connection);
    return rcvNxt === null ? { token, status: 'no-socket', rcvNxt: 0 } : { token, status: 'ok', rcvNxt };
  }

  /** A program migrates once at a time: what is left of its last attempt is over. */
  private supersede(agent: string, group: string): void {
    for (const suspension of this.suspensions.values()) {
      const isSame = suspension.agent === agent && suspension.group === group;
      if (isSame && suspension.state === 'active') this.end(suspension, 'cancelled');
    }
  }

  private makeRoom(): boolean {
    for (const [name, { state }] of this.suspensions) {
      if (this.suspensions.size < MAX_SUSPENSIONS) break;
      if (state !== 'active') this.suspensions.delete(name);
    }
    return this.suspensions.size < MAX_SUSPENSIONS;
  }

  private end(suspension: Suspension, state: SuspensionState): void {
    suspension.endLease();
    suspension.endLease = () => undefined;
    suspension.state = state;
    const members = [...suspension.members.values()];
    this.release(this.patience.startAnew(members));
    this.drop(members);
    this.holds.forget(suspension);
  }
}

/** Of which owners are noted. */
function noted({ members }: Suspension): number[] {
  return [...members.values()].filter(({ fd, patience }) => fd !== null && patience === null).map(({ inode }) => inode);
}

function suspensionName(agent: string, migration: string): string {
  return `${agent} ${migration}`;
}
