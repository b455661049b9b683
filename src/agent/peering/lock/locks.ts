/**
 * Connections of this host that are locked for other hosts' programs: a lock for each migration, with a lease.
 *
 * While a connection is locked we have a descriptor of it. Should its program close it or end meanwhile, the kernel
 * says so to the other side when we let go of it: after the rebind, on the new path, or at the end of the lease.
 */

import type { LockFacts } from '../../../protocol/control/index';
import { freshCounter, type LockedEntry, Move, type Status } from '../../../protocol/inband';
import { LONGEST_HOLD_MS } from '../../../times';
import type { Endpoint } from '../../../vocabulary/endpoint';
import type { Registrations } from '../hello/registrations';
import type { HoldRecord, Holds } from '../hold/holds';
import type { UserTimeouts } from '../hold/user-timeouts';
import { batched, Failure, fdsOf, type Host } from '../host';
import type { Owners } from '../rebind/owners';
import type { Sockets } from '../sockets';
import { closeDescriptors, hasDescriptor, isHeld, type Lock, type LockedConnection, unlock } from './lock';

const MAX_LOCKS = 1024;

interface LocksParts {
  readonly sockets: Sockets;
  readonly registrations: Registrations;
  readonly owners: Owners;
  readonly holds: Holds;
  readonly userTimeouts: UserTimeouts;
}

export class Locks {
  private readonly locks = new Map<string, Lock>();

  /** Takes up the holds that an agent before this one has written down. */
  constructor(private readonly host: Host, private readonly parts: LocksParts) {
    for (const { record, leftMs } of parts.holds.records()) this.takeUp(record, leftMs);
  }

  /** The lock for this migration of that agent's, whatever its state. */
  find(agent: string, migration: string): Lock | undefined {
    return this.locks.get(lockName(agent, migration));
  }

  /** Finds the lock likewise, unless it was cancelled. */
  findResumable({ ticket }: Move): Lock | undefined {
    const lock = this.find(ticket.sourceId, ticket.migration);
    return lock?.state === 'cancelled' ? undefined : lock;
  }

  /** A new one, with nothing locked yet; it ends what is active of this program. undefined: there are too many. */
  open(move: Move, group: string, round: number): Lock | undefined {
    // A program migrates once at a time: what is left of its last attempt is over.
    for (const lock of this.locks.values())
      if (lock.agent === move.ticket.sourceId && lock.group === group && lock.state === 'active')
        this.end(lock, 'cancelled');
    return this.makeRoom() ? this.add(move, group, round) : undefined;
  }

  /** Locks what is registered, renews what is locked. Gives an entry for each connection. */
  renew(lock: Lock, leaseMs: number, round: number): LockedEntry[] {
    const refused = this.takeRegistered(lock);
    const entries = this.lockAll(lock, Math.min(Math.max(leaseMs, 1), LONGEST_HOLD_MS));
    lock.round = round;
    return [...entries, ...refused];
  }

  cancel(lock: Lock): void {
    if (lock.state !== 'cancelled') this.end(lock, 'cancelled');
  }

  /** Looks whose the sockets are while the source is busy with its dump: at the rebind, a program would wait for it. */
  noteOwners(lock: Lock): void {
    this.parts.owners.note(inodesOfShortLocks(lock));
  }

  /** At the first RESUME: while its parts come, one after the other, who owns what is looked at no more than once. */
  beginResumption(lock: Lock): void {
    if (lock.resuming) return;
    lock.resuming = true;
    this.parts.owners.renew(inodesOfShortLocks(lock));
  }

  /** The connection is rebound to there, and unlocked. */
  followed(connection: LockedConnection, movedTo: Endpoint): void {
    this.parts.userTimeouts.giveBack([connection]);
    this.drop([connection]);
    connection.movedTo = movedTo;
    this.parts.registrations.remove(connection.registration);
  }

  /** Writes down, for the agent after this one, that connections have followed. */
  updateHold(lock: Lock): void {
    this.parts.holds.update(lock, lock.until - this.host.clock.now());
  }

  /** Closes our descriptors. */
  drop(connections: readonly LockedConnection[]): void {
    this.parts.owners.forget(connections.map(({ inode }) => inode));
    closeDescriptors(this.host, connections);
  }

  facts(): LockFacts[] {
    return [...this.locks.values()].map(({ move, group, agent, state, until, connections }) => ({
      migration: move.migration,
      group,
      agent,
      state,
      leftMs: state === 'active' ? Math.max(0, until - this.host.clock.now()) : 0,
      locked: [...connections.values()].filter(hasDescriptor).length,
      moved: [...connections.values()].filter(({ movedTo }) => movedTo !== null).length,
    }));
  }

  /** Holds stay: the next agent takes them up, or their leases end them. */
  close(): void {
    for (const lock of this.locks.values()) {
      if (!this.parts.holds.outlivesUs(lock)) this.end(lock, 'cancelled');
      lock.callOff();
      this.drop([...lock.connections.values()]);
    }
  }

  private add(move: Move, group: string, round: number): Lock {
    const { sourceId, migration } = move.ticket;
    const lock: Lock = {
      group,
      agent: sourceId,
      move,
      connections: new Map(),
      state: 'active',
      round,
      until: 0,
      resuming: false,
      claim: null,
      callOff: () => undefined,
    };
    this.locks.set(lockName(sourceId, migration), lock);
    return lock;
  }

  /** Where its lease has ended meanwhile, its connections start anew. */
  private takeUp({ ticket, group, round, connections }: HoldRecord, leftMs: number): void {
    const { host: { log }, parts: { sockets, registrations } } = this;
    const lock = this.add(new Move(ticket, 'peer', freshCounter()), group, round);
    const taken = sockets.take(connections);
    connections.forEach(({ token, connection, hold }, index) => {
      const one = taken[index]!;
      if (typeof one === 'string')
        return log.warn({ connection, status: one }, 'a peer that was held is not there any more');
      const registration = { agent: ticket.sourceId, group, token, connection, location: one.location };
      registrations.add(registration);
      lock.connections.set(token, { registration, fd: one.fd, inode: one.inode, movedTo: null, hold });
    });
    if (leftMs > 0) this.lockAll(lock, leftMs);
    else this.end(lock, 'lapsed');
    log.info({ group, leftMs, connections: lock.connections.size }, 'a hold was taken up');
  }

  /** Gets descriptors for what is registered and has not followed; an entry for each that cannot be had. */
  private takeRegistered({ agent, group, connections }: Lock): LockedEntry[] {
    const { sockets, registrations } = this.parts;
    const absent = registrations.of(agent, group).filter(({ token }) => {
      const known = connections.get(token);
      return known === undefined || (known.fd === null && known.movedTo === null);
    });
    const taken = sockets.take(absent);
    return absent.flatMap((registration, index): LockedEntry[] => {
      const { token } = registration;
      const one = taken[index]!;
      if (typeof one === 'string') {
        if (one === 'no-socket') registrations.remove(registration);
        return [refusal(token, one)];
      }
      registration.location = one.location;
      connections.set(token, { registration, fd: one.fd, inode: one.inode, movedTo: null, hold: null });
      return [];
    });
  }

  /** Locks those that we have descriptors of; lets go of those that it cannot lock. */
  private lockAll(lock: Lock, leaseMs: number): LockedEntry[] {
    const { clock, native } = this.host;
    const connections = [...lock.connections.values()].filter(hasDescriptor);
    const locked = batched(connections, (some) => native.socketLock(fdsOf(some), leaseMs));
    const entries = connections.map((connection, index) => this.entryOf(connection, locked[index]!));
    const refused = connections.filter((_connection, index) => entries[index]!.status !== 'ok');
    unlock(this.host, refused);
    this.drop(refused);
    lock.state = 'active';
    lock.callOff();
    lock.until = clock.now() + leaseMs;
    lock.callOff = clock.after(leaseMs, () => this.end(lock, 'lapsed'));
    this.parts.holds.begin(lock, leaseMs);
    return entries;
  }

  private entryOf(
    { registration: { token, connection } }: LockedConnection,
    locked: LockedConnection | Failure,
  ): LockedEntry {
    if (locked instanceof Failure) {
      this.host.log.warn({ err: locked.error, connection }, 'a peer cannot be locked');
      return refusal(token, locked.isPermission ? 'not-permitted' : 'failed');
    }
    const rcvNxt = this.parts.sockets.received(connection);
    return rcvNxt === null ? refusal(token, 'no-socket') : { token, status: 'ok', rcvNxt };
  }

  private makeRoom(): boolean {
    for (const [name, { state }] of this.locks) {
      if (this.locks.size < MAX_LOCKS) break;
      if (state !== 'active') this.locks.delete(name);
    }
    return this.locks.size < MAX_LOCKS;
  }

  private end(lock: Lock, state: LockFacts['state']): void {
    lock.callOff();
    lock.callOff = () => undefined;
    lock.state = state;
    const connections = [...lock.connections.values()];
    unlock(this.host, this.parts.userTimeouts.startAnew(connections));
    this.drop(connections);
    this.parts.holds.forget(lock);
  }
}

/** Owners are noted for these alone: hours later, when a hold ends, a note is worth nothing. */
function inodesOfShortLocks({ connections }: Lock): number[] {
  return [...connections.values()].filter((each) => hasDescriptor(each) && !isHeld(each)).map(({ inode }) => inode);
}

function refusal(token: string, status: Status): LockedEntry {
  return { token, status, rcvNxt: 0 };
}

function lockName(agent: string, migration: string): string {
  return `${agent} ${migration}`;
}
