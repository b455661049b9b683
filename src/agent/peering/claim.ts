/**
 * CLAIM: what of a checkpoint is held, and for which restore of it. Several hosts may have the file; one that asks, and
 * is not the first, is told so before anything of its restore can touch a connection.
 */

import { randomBytes } from 'node:crypto';
import type { ClaimRequest, PeerAnswer, PeerStatus } from '../../protocol/control/index';
import { answerWindow, type Claim, type Held, HELD_ENTRIES, type Move, splitIntoParts,
  type Status } from '../../protocol/inband';
import { LONGEST_CLAIM_MS } from '../../times';
import { connectionName } from '../../vocabulary/endpoint';
import { type AskedMigrations, entriesByToken, type Party } from './asked-migrations';
import type { Host } from './host';
import type { Lock, LockedConnection } from './lock/lock';
import type { Locks } from './lock/locks';
import type { ArrivedSegment, Segments } from './segments';
import type { Sockets } from './sockets';

interface ClaimAnswererParts {
  readonly segments: Segments;
  readonly sockets: Sockets;
  readonly locks: Locks;
}

/** Answers for what is held here. */
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

  /** Claims it for this restore, or renews its claim. False: another restore has it. */
  private claim(lock: Lock, { restore, leaseMs }: Claim): boolean {
    const now = this.host.clock.now();
    const { claim } = lock;
    if (claim !== null && claim.restore !== restore && claim.until > now) return false;
    lock.claim = leaseMs === 0 ? null : { restore, until: now + Math.min(leaseMs, LONGEST_CLAIM_MS) };
    return true;
  }

  /** After the end of a hold it is as after any outage: a connection that lives yet may be resumed. */
  private status({ registration, movedTo }: LockedConnection, isOthers: boolean): Status {
    if (movedTo !== null) return 'moved';
    if (isOthers) return 'claimed';
    return this.parts.sockets.received(registration.connection) === null ? 'no-socket' : 'ok';
  }
}

/**
 * Asks as the target of a restore, before anything is here, what the peers hold; they keep it for this restore.
 * no-socket: not held any more. Of two restores one gets all of it: everybody asks the same agent first, and the others
 * only where that one is his.
 */
export async function askClaim(migrations: AskedMigrations, request: ClaimRequest): Promise<PeerAnswer[]> {
  migrations.adopt(request.migration, request.tickets);
  const wanted = new Set(request.connections.map(({ connection }) => connectionName(connection)));
  const isAsked = ({ affected }: Party): boolean => [...affected.keys()].some((name) => wanted.has(name));
  const [first, ...others] = migrations.parties('target', request.migration).filter(isAsked).sort(byPeerId);
  const statuses = new Map<string, PeerStatus>();
  const note = async (party: Party): Promise<void> => {
    for (const [name, status] of await claimAt(migrations, party, request)) statuses.set(name, status);
  };
  if (first !== undefined) await note(first);
  const isOthers = [...statuses.values()].includes('claimed');
  if (!isOthers) await Promise.all(others.map(note));
  const unheard: PeerStatus = isOthers ? 'claimed' : 'no-agent';
  return request.connections.map(({ connection }) => ({
    connection,
    status: statuses.get(connectionName(connection)) ?? unheard,
  }));
}

/** By connectionName. */
async function claimAt(
  migrations: AskedMigrations,
  { move, affected }: Party,
  { migration, restore, leaseMs, connections, deadlineMs }: ClaimRequest,
): Promise<Map<string, PeerStatus>> {
  const nonce = randomBytes(4).readUInt32BE();
  const outcome = await migrations.converse<Held>(move.ticket.peerId, migration, {
    deadlineMs,
    requests: 1,
    carriers: connections.filter(({ connection }) => affected.has(connectionName(connection))).map(
      ({ to, sndUna, rcvNxt }) => ({ ...to, at: { sndUna, rcvNxt } })
    ),
    request: (_one, from) => move.seal({ type: 'claim', migration, restore, leaseMs, nonce, from }),
    onAnswer: (message, conversation) => {
      if (message.type === 'held' && message.nonce === nonce)
        conversation.accept(0, message.part, message.parts, message);
    },
  });
  const unheard: PeerStatus = outcome.complete ? 'no-socket' : 'no-agent';
  const held = entriesByToken(outcome);
  return new Map([...affected].map(([name, { token }]) => [name, held.get(token)?.status ?? unheard]));
}

/** An order that all hosts have in common. */
function byPeerId(one: Party, other: Party): number {
  return one.move.ticket.peerId < other.move.ticket.peerId ? -1 : 1;
}
