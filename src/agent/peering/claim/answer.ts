/**
 * The answering side of ASK: what of a checkpoint is held here, and for which restore of it. Several hosts may have the
 * file; one that asks, and is not the first, is told so before anything of its restore can touch a connection.
 */

import { answerWindow, splitIntoParts, TOLD_ENTRIES } from '../../../protocol/inband';
import type { Ask, Clock, Move, Status, Told } from '../../../protocol/inband';
import type { Suspensions } from '../lock/answer';
import type { Member, Suspension } from '../lock/lock';
import type { ArrivedSegment, Segments } from '../segments';
import type { Sockets } from '../sockets';

/** However long a restore wants to be the only one. */
const MAX_CLAIM_MS = 10 * 60_000;

export class Claims {
  constructor(
    private readonly clock: Clock,
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly suspensions: Suspensions,
  ) {}

  onAsk(message: Ask, move: Move, segment: ArrivedSegment): void {
    const { migration, nonce, from } = message;
    const suspension = this.suspensions.find(move);
    const isOthers = suspension !== undefined && !this.claim(suspension, message);
    const entries = [...(suspension?.members ?? [])].map(([token, member]) => ({
      token,
      status: this.status(member, isOthers),
    }));
    const answers = splitIntoParts(entries, TOLD_ENTRIES).map((part): Told => ({
      type: 'told',
      migration,
      nonce,
      ...part,
    }));
    for (const answer of answerWindow(answers, from)) this.segments.answer(move.seal(answer), segment);
  }

  /** Asked again, it is renewed. False: it is another restore's. */
  private claim(suspension: Suspension, { claim: by, leaseMs }: Ask): boolean {
    const { claim } = suspension;
    const now = this.clock.now();
    if (claim !== null && claim.by !== by && claim.until > now) return false;
    suspension.claim = leaseMs === 0 ? null : { by, until: now + Math.min(leaseMs, MAX_CLAIM_MS) };
    return true;
  }

  /** Where the hold is over it is as after any outage: what lives yet may be resumed. */
  private status({ registration, moved }: Member, isOthers: boolean): Status {
    if (moved !== null) return 'moved';
    if (isOthers) return 'claimed';
    return this.sockets.received(registration.connection) === null ? 'no-socket' : 'ok';
  }
}
