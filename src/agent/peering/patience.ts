/**
 * Connections of this host that are locked for minutes or hours, and TCP does not give them up (native/tcp/user_timeout.h).
 *
 * The programs that have them run all the time: what they read waits, what they write goes into the send buffer and
 * then waits. Where a lock ends and nobody has resumed, its connection starts anew in place: with TCP's usual limits,
 * and sending at once, not after a timer that has grown to two minutes.
 */

import type { Logger } from 'pino';
import type { Native } from '../../native/contract';
import { batched, Failure } from './batch';
import type { Rebinder } from './rebind';
import type { Member } from './suspension';

export type Held = Member & { readonly fd: number };

export class Patience {
  constructor(
    private readonly native: Native,
    private readonly rebinder: Rebinder,
    private readonly log: Logger,
  ) {}

  /** Of members that were just locked for this time, the first time or again. */
  give(held: readonly Held[], leaseMs: number): void {
    this.note(held.filter(({ patience }) => patience === null));
    const patient = held.filter(isPatient);
    batched(patient, (some) => {
      this.native.tcpExtendUserTimeouts(fdsOf(some), timeoutsOf(some), leaseMs);
      return some;
    });
    this.openWindows(patient);
  }

  /** Unlocks members that had been given it, each connection starting anew. Gives those that are to be unlocked otherwise. */
  startAnew(members: readonly Member[]): Member[] {
    const held = members.filter(isHeld).filter(isPatient);
    if (held.length === 0) return [...members];
    const results = this.rebinder.rebind(
      held.map(({ fd, inode, registration, patience }) => ({
        fd,
        inode,
        ...registration.connection,
        peerHas: null,
        windowIsShut: patience?.windowWasShut === true,
      })),
    );
    const started = new Set<Member>(held.filter((_member, index) => results[index] === 'ok'));
    this.end([...started]);
    return members.filter((member) => !started.has(member));
  }

  /** Of members that were rebound: TCP's usual limits again. */
  end(members: readonly Member[]): void {
    const held = members.filter(isHeld).filter(isPatient);
    const ended = batched(held, (some) => {
      this.native.tcpSetUserTimeouts(fdsOf(some), timeoutsOf(some));
      return some;
    });
    for (const result of ended) {
      if (result instanceof Failure) this.log.warn({ err: result.error }, 'a connection keeps a long TCP_USER_TIMEOUT');
    }
    for (const member of held) member.patience = null;
  }

  private note(members: readonly Held[]): void {
    const noted = batched(members, (some) => {
      const timeouts = this.native.tcpUserTimeouts(fdsOf(some));
      return some.map(({ fd }, index) => ({
        userTimeout: timeouts[index]!,
        windowWasShut: this.native.tcpIsWindowShut(fd),
      }));
    });
    members.forEach((member, index) => {
      const one = noted[index]!;
      if (one instanceof Failure) this.log.warn({ err: one.error }, 'a connection is held, but TCP may give it up');
      else member.patience = one;
    });
  }

  private openWindows(members: readonly Held[]): void {
    const shut = members.filter(({ patience, fd }) =>
      patience?.windowWasShut === true && this.native.tcpIsWindowShut(fd)
    );
    if (shut.length === 0) return;
    const failed = this.rebinder.openWindows(shut).filter((result) => result !== 'ok');
    if (failed.length > 0) this.log.warn({ failed }, 'a connection with a closed window is held; TCP may give it up');
  }
}

export function isHeld(member: Member): member is Held {
  return member.fd !== null;
}

export function isPatient({ patience }: Member): boolean {
  return patience !== null;
}

export function fdsOf(members: readonly Held[]): number[] {
  return members.map(({ fd }) => fd);
}

function timeoutsOf(members: readonly Held[]): number[] {
  return members.map(({ patience }) => patience?.userTimeout ?? 0);
}
