/**
 * Answers CLAIM: what of a checkpoint is held here, and for which restore of it. Several hosts may have the file; one
 * that asks, and is not the first, is told so before anything of its restore can touch a connection.
 */

import { answerWindow, HELD_ENTRIES, splitIntoParts } from '../../../protocol/inband';
import type { Claim, Held, Move, Status } from '../../../protocol/inband';
import { LONGEST_CLAIM_MS } from '../../../times';
import type { Host } from '../host';
import type { Lock, LockedConnection } from '../lock/lock';
import type { Locks } from '../lock/locks';
import type { ArrivedSegment, Segments } from '../segments';
import type { Sockets } from '../sockets';

interface ClaimAnswererParts {
  readonly segments: Segments;
  readonly sockets: Sockets;
  readonly locks: Locks;
}

export class ClaimAnswerer {
  constructor(private readonly host: Host, private readonly parts: ClaimAnswererParts) {}

  onClaim(message: Claim, move: Move, segment: ArrivedSegment): void {
    const { migration, nonce, from } = message;
    const lock = this.parts.locks.findResumable(move);
    const isOthers = lock !== undefined && !this.claim(lock, message);
    const entries = [...(lock?.connections ?? [])].map(([token, connection]) => ({
      token,
      status: this.status(connection, isOthers),
    }));
    const answers = splitIntoParts(entries, HELD_ENTRIES).map((part): Held => ({
      type: 'held',
      migration,
      nonce,
      ...part,
    }));
    for (const answer of answerWindow(answers, from)) this.parts.segments.answer(move.seal(answer), segment);
  }

  /** Where the same restore asks again, its claim is renewed. False: another restore has it. */
  private claim(lock: Lock, { restore, leaseMs }: Claim): boolean {
    const now = this.host.clock.now();
    const { claim } = lock;
    if (claim !== null && claim.restore !== restore && claim.until > now) return false;
    lock.claim = leaseMs === 0 ? null : { restore, until: now + Math.min(leaseMs, LONGEST_CLAIM_MS) };
    return true;
  }

  /** Where the hold is over it is as after any outage: a connection that lives yet may be resumed. */
  private status({ registration, movedTo }: LockedConnection, isOthers: boolean): Status {
    if (movedTo !== null) return 'moved';
    if (isOthers) return 'claimed';
    return this.parts.sockets.received(registration.connection) === null ? 'no-socket' : 'ok';
  }
}
