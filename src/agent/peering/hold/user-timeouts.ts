/**
 * Connections of this host that are locked for minutes or hours: a long TCP_USER_TIMEOUT keeps TCP from giving them up
 * (native/tcp/user_timeout.h).
 *
 * The programs that have them run all the time: what they read waits, what they write goes into the send buffer and
 * then waits. Where a lock ends and nobody has resumed, its connection starts anew in place: with TCP's usual limits,
 * and sending at once, not after a timer that has grown to two minutes.
 */

import { batched, Failure, fdsOf, type Host } from '../host';
import { hasDescriptor, isHeld, type LockedConnection, rebindOf, type WithDescriptor } from '../lock/lock';
import type { Rebinder } from '../rebind/rebind';

type Open = WithDescriptor<LockedConnection>;

export class UserTimeouts {
  constructor(private readonly host: Host, private readonly rebinder: Rebinder) {}

  /** To be called when these were just locked for this time, the first time or again: from then on they are held. */
  lengthen(connections: readonly Open[], leaseMs: number): void {
    this.noteOwn(connections.filter((each) => !isHeld(each)));
    const held = connections.filter(isHeld);
    batched(held, (some) => this.host.native.tcpExtendUserTimeouts(fdsOf(some), ownTimeoutsOf(some), leaseMs));
    this.openWindows(held);
  }

  /**
   * Unlocks those that are held, each starting anew. Gives the others, and those that could not: the caller unlocks
   * them.
   */
  startAnew<Any extends LockedConnection>(connections: readonly Any[]): Any[] {
    const held = connections.filter(hasDescriptor).filter(isHeld);
    if (held.length === 0) return [...connections];
    const results = this.rebinder.rebind(held.map((each) => rebindOf(each, { peerHas: null })));
    const started = new Set<LockedConnection>(held.filter((_each, index) => results[index] === 'ok'));
    this.giveBack([...started]);
    return connections.filter((each) => !started.has(each));
  }

  /** To be called when these were rebound: those that were held have their programs' own timeouts again. */
  giveBack(connections: readonly LockedConnection[]): void {
    const held = connections.filter(hasDescriptor).filter(isHeld);
    const given = batched(held, (some) => this.host.native.tcpSetUserTimeouts(fdsOf(some), ownTimeoutsOf(some)));
    for (const result of given)
      if (result instanceof Failure)
        this.host.log.warn({ err: result.error }, 'a connection keeps a long TCP_USER_TIMEOUT');
    for (const connection of held) connection.hold = null;
  }

  private noteOwn(connections: readonly Open[]): void {
    const { native, log } = this.host;
    const noted = batched(connections, (some) => {
      const timeouts = native.tcpUserTimeouts(fdsOf(some));
      return some.map(({ fd }, index) => ({
        userTimeout: timeouts[index]!,
        windowWasShut: native.tcpIsWindowShut(fd),
      }));
    });
    connections.forEach((connection, index) => {
      const one = noted[index]!;
      if (one instanceof Failure) log.warn({ err: one.error }, 'a connection is held, but TCP may give it up');
      else connection.hold = one;
    });
  }

  private openWindows(held: readonly Open[]): void {
    const { native, log } = this.host;
    const shut = held.filter(({ hold, fd }) => hold?.windowWasShut === true && native.tcpIsWindowShut(fd));
    if (shut.length === 0) return;
    const failed = this.rebinder.openWindows(shut).filter((result) => result !== 'ok');
    if (failed.length > 0) log.warn({ failed }, 'a connection with a closed window is held; TCP may give it up');
  }
}

function ownTimeoutsOf(connections: readonly Open[]): number[] {
  return connections.map(({ hold }) => hold?.userTimeout ?? 0);
}
