/** Answers LOCK and CANCEL: this host's connections to a program that is about to move, or to be held. */

import { answerWindow, LOCKED_ENTRIES, Replies, splitIntoParts } from '../../../protocol/inband';
import type { Lock as LockMessage, Locked, Move, Pair } from '../../../protocol/inband';
import { LEAST_ANNOUNCED_WORK_MS, LOCK_WORK_PER_CONNECTION_MS } from '../../../times';
import type { Registrations } from '../hello/registrations';
import type { Host } from '../host';
import type { ArrivedSegment, Segments } from '../segments';
import type { UdpPeers } from '../udp-peers';
import type { Lock } from './lock';
import type { Locks } from './locks';

interface LockAnswererParts {
  readonly segments: Segments;
  readonly registrations: Registrations;
  readonly locks: Locks;
  readonly udpPeers: UdpPeers;
}

export class LockAnswerer {
  private readonly replies = new Replies<Locked[]>();

  constructor(private readonly host: Host, private readonly parts: LockAnswererParts) {}

  onLock(message: LockMessage, pair: Pair, segment: ArrivedSegment): void {
    const { locks, segments } = this.parts;
    const { migration, round, from } = message;
    const scope = `${pair.peerId} ${migration}`;
    const request = `lock ${round}`;
    const reply = this.replies.begin(scope, request);
    if (reply.state === 'working') return;
    if (reply.state === 'new') this.announceWork(message, pair, segment);
    const answers = reply.state === 'answered' ? reply.answer : this.lock(message, pair);
    if (answers === null) return this.replies.abandon(scope, request);
    this.replies.answer(scope, request, answers);
    for (const answer of answerWindow(answers, from)) segments.answer(pair.seal(answer), segment);
    const lock = locks.find(pair.peerId, migration);
    if (reply.state !== 'answered' && lock !== undefined) locks.noteOwners(lock);
  }

  onCancel(move: Move, segment: ArrivedSegment): void {
    const { locks, segments } = this.parts;
    const { migration, sourceId } = move.ticket;
    const lock = locks.find(sourceId, migration);
    if (lock !== undefined) locks.cancel(lock);
    segments.answer(move.seal({ type: 'cancelled', migration }), segment);
  }

  /** To lock many is one synchronous stretch, in which nothing is answered. */
  private announceWork({ migration, group, round }: LockMessage, pair: Pair, segment: ArrivedSegment): void {
    const { registrations, segments } = this.parts;
    const ms = registrations.count(pair.peerId, group) * LOCK_WORK_PER_CONNECTION_MS;
    if (ms > LEAST_ANNOUNCED_WORK_MS) segments.answer(pair.seal({ type: 'working', migration, round, ms }), segment);
  }

  /** null: not to be answered. */
  private lock(message: LockMessage, pair: Pair): Locked[] | null {
    const { locks, udpPeers } = this.parts;
    const { migration, group, round, leaseMs } = message;
    const lock = this.lockFor(message, pair);
    if (lock === 'refused') return null;
    const udp = udpPeers.statuses(pair.peerId, group).map((entry) => ({ ...entry, rcvNxt: 0 }));
    const entries = lock === 'unknown group' ? [] : [...locks.renew(lock, leaseMs, round), ...udp];
    return splitIntoParts(entries, LOCKED_ENTRIES).map((part) => ({ type: 'locked', migration, round, ...part }));
  }

  private lockFor({ migration, group, round }: LockMessage, pair: Pair): Lock | 'unknown group' | 'refused' {
    const { locks, registrations, udpPeers } = this.parts;
    const known = locks.find(pair.peerId, migration);
    if (known !== undefined) {
      const isStale = known.state === 'cancelled' || known.group !== group || round < known.round;
      return isStale ? 'refused' : known;
    }
    if (registrations.count(pair.peerId, group) === 0 && !udpPeers.has(pair.peerId, group)) return 'unknown group';
    return locks.open(this.host.keyring.follow(pair, migration), group, round) ?? 'refused';
  }
}
