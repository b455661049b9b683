/** Asks CLAIM: as the target of a restore, before anything is here, what the peers hold; they keep it for this restore. */

import { randomBytes } from 'node:crypto';
import type { ClaimRequest, PeerAnswer, PeerStatus } from '../../../protocol/control/index';
import type { Held } from '../../../protocol/inband';
import { connectionName } from '../../../vocabulary/endpoint';
import type { AskedMigrations, Party } from '../asked-migrations';

/**
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
  const { answers, complete } = await migrations.converse<Held>(move, {
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
  const statuses = new Map(
    answers.flat().flatMap(({ entries }) => entries.map(({ token, status }) => [token, status])),
  );
  return new Map(
    [...affected].map(([name, { token }]) => [name, statuses.get(token) ?? (complete ? 'no-socket' : 'no-agent')]),
  );
}

/** An order that all hosts have in common. */
function byPeerId(one: Party, other: Party): number {
  return one.move.ticket.peerId < other.move.ticket.peerId ? -1 : 1;
}
