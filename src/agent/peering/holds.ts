/**
 * Suspensions that last: a program that is suspended or checkpointed comes back after minutes or hours. Meanwhile
 *
 *   - TCP does not give the connections up (native/tcp_patience.h),
 *   - the keys are kept, here and in a file, so that the agent may be restarted (hold-files.ts).
 *
 * A peer's program runs all the time: what it reads waits, what it writes goes into its send buffer and then waits. At
 * the end of a hold that nobody resumed, its connections start anew in place: with TCP's usual limits, and sending at
 * once, not after a timer that has grown to two minutes.
 */

import type { Logger } from 'pino';
import type { Native } from '../../native/contract';
import type { Keyring } from '../../protocol/inband';
import { batched, Failure } from './batch';
import { monotonicMs, type HoldFiles, type HoldRecord } from './hold-files';
import type { Owners } from './owners';
import type { Rebinder } from './rebind';
import type { Member, Suspension } from './suspension';

/** TCP bears shorter suspensions by itself. */
const PATIENT_FROM_MS = 30_000;

type Held = Member & { readonly fd: number };

export class Holds {
  constructor(
    private readonly native: Native,
    private readonly keyring: Keyring,
    private readonly owners: Owners,
    private readonly rebinder: Rebinder,
    private readonly files: HoldFiles,
    private readonly log: Logger,
  ) {}

  /** Of members that were just locked for this time, the first time or again. Short suspensions are no holds. */
  begin(suspension: Suspension, leaseMs: number): void {
    const held = heldOf(suspension);
    if (leaseMs < PATIENT_FROM_MS && !held.some(({ patience }) => patience !== null)) return;
    this.keyring.keep(suspension.move);
    this.owners.forget(held.map(({ inode }) => inode));
    this.note(held.filter(({ patience }) => patience === null));
    const patient = held.filter(({ patience }) => patience !== null);
    batched(patient, (some) => {
      this.native.givePatience(fdsOf(some), timeoutsOf(some), leaseMs);
      return some;
    });
    this.openWindows(patient);
    this.write(suspension, monotonicMs() + leaseMs);
  }

  /** Unlocks members whose locks were holds, each connection starting anew. Gives those that are to be unlocked otherwise. */
  startAnew(members: readonly Member[]): Member[] {
    const held = members.filter((member): member is Held => member.fd !== null && member.patience !== null);
    if (held.length === 0) return [...members];
    const results = this.rebinder.rebind(
      held.map(({ fd, inode, registration, patience }) => ({
        fd,
        inode,
        remote: registration.connection.remote,
        peerHas: null,
        windowIsShut: patience?.windowWasShut === true,
      })),
    );
    const started = new Set<Member>(held.filter((_member, index) => results[index] === 'ok'));
    this.impatient([...started]);
    return members.filter((member) => !started.has(member));
  }

  /** Members that were rebound: TCP's usual limits again. */
  impatient(members: readonly Member[]): void {
    const held = members.filter((member): member is Held => member.fd !== null && member.patience !== null);
    for (const failure of batched(held, (some) => {
      this.native.setUserTimeouts(fdsOf(some), timeoutsOf(some));
      return some;
    })) {
      if (failure instanceof Failure) this.log.warn({ err: failure.error }, 'a peer keeps a long TCP_USER_TIMEOUT');
    }
    for (const member of held) member.patience = null;
  }

  /** What is left of it; where nothing is, it is over. */
  update(suspension: Suspension, leftMs: number): void {
    if (heldOf(suspension).some(({ patience }) => patience !== null)) this.write(suspension, monotonicMs() + leftMs);
    else this.forget(suspension);
  }

  forget({ move }: Suspension): void {
    this.keyring.keepNoLonger(move);
    this.files.remove(move.ticket);
  }

  /** Whether this suspension goes on without this agent. */
  outlivesUs(suspension: Suspension): boolean {
    return this.files.isKept && suspension.state === 'active' && heldOf(suspension).some(({ patience }) => patience !== null);
  }

  records(): { record: HoldRecord; leftMs: number }[] {
    return this.files.read().map((record) => ({ record, leftMs: record.until - monotonicMs() }));
  }

  private note(members: readonly Held[]): void {
    const noted = batched(members, (some) => {
      const timeouts = this.native.userTimeouts(fdsOf(some));
      return some.map(({ fd }, index) => ({ userTimeout: timeouts[index]!, windowWasShut: this.native.isWindowShut(fd) }));
    });
    members.forEach((member, index) => {
      const one = noted[index]!;
      if (one instanceof Failure) this.log.warn({ err: one.error }, 'a peer is held, but TCP may give it up');
      else member.patience = one;
    });
  }

  private openWindows(members: readonly Held[]): void {
    const shut = members.filter(({ patience, fd }) => patience?.windowWasShut === true && this.native.isWindowShut(fd));
    if (shut.length === 0) return;
    const failed = this.rebinder.openWindows(shut).filter((result) => result !== 'ok');
    if (failed.length > 0) this.log.warn({ failed }, 'a peer with a closed window is held; TCP may give it up');
  }

  private write(suspension: Suspension, until: number): void {
    const { move, group, round } = suspension;
    const members = heldOf(suspension).flatMap(({ registration: { token, connection, owner }, patience }) =>
      patience === null ? [] : [{ token, connection, owner, patience }],
    );
    this.files.write({ version: 1, ticket: move.ticket, group, round, until, members });
  }
}

function heldOf({ members }: Suspension): Held[] {
  return [...members.values()].filter((member): member is Held => member.fd !== null);
}

function fdsOf(members: readonly Held[]): number[] {
  return members.map(({ fd }) => fd);
}

function timeoutsOf(members: readonly Held[]): number[] {
  return members.map(({ patience }) => patience?.userTimeout ?? 0);
}
