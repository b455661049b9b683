/** Asks LOCK, and CANCEL, which undoes it: the peers of a program that is about to move, or to be held. */

import type { CancelRequest, LockedPeer, LockRequest, PeerStatus } from '../../../protocol/control/index';
import type { Locked, LockedEntry, Outcome, Pair } from '../../../protocol/inband';
import { LONGEST_WORK_MS } from '../../../times';
import { connectionName, onTheWire } from '../../../vocabulary/endpoint';
import type { AskedMigrations, Party } from '../asked-migrations';
import type { HelloAsker } from '../hello/ask';

export async function askLock(
  migrations: AskedMigrations,
  hello: HelloAsker,
  request: LockRequest,
): Promise<LockedPeer[]> {
  const pairs = new Map<Party, Pair>();
  const found = request.connections.map((connection) => {
    const known = hello.find(request.group, connection);
    if (known === undefined || known.pair === null) return null;
    const party = migrations.join(known.pair, request.migration);
    party.affected.set(connectionName(connection), { connection: onTheWire(connection), token: known.token });
    pairs.set(party, known.pair);
    return { party, token: known.token };
  });
  const outcomes = new Map(
    await Promise.all([...pairs].map(async ([party, pair]) =>
      [party, await lockAt(migrations, party, pair, request)] as const
    )),
  );
  const byToken = new Map([...outcomes].map(([party, outcome]) => [party, entriesByToken(outcome)]));
  return request.connections.map((connection, index) => {
    const at = found[index];
    if (at === null || at === undefined) return { connection, status: 'no-agent', rcvNxt: 0, agent: '' };
    const { party, token } = at;
    const entry = byToken.get(party)?.get(token);
    const unheard: PeerStatus = outcomes.get(party)?.complete === true ? 'no-socket' : 'no-agent';
    const agent = party.move.ticket.peerId;
    return { connection, status: entry?.status ?? unheard, rcvNxt: entry?.rcvNxt ?? 0, agent };
  });
}

/** Gives a status for each agent. Where nobody answers, the lease does the same. */
export async function askCancel(
  migrations: AskedMigrations,
  { migration, deadlineMs }: CancelRequest,
): Promise<{ agent: string; status: PeerStatus }[]> {
  const cancelled = await Promise.all(
    migrations.parties('source', migration).map(async ({ move, affected }) => {
      const { complete } = await migrations.converse<true>(move, {
        deadlineMs,
        requests: 1,
        carriers: [...affected.values()].map(({ connection }) => connection),
        request: () => move.seal({ type: 'cancel', migration }),
        onAnswer: (message, conversation) => {
          if (message.type === 'cancelled') conversation.accept(0, 0, 1, true);
        },
      });
      return { agent: move.ticket.peerId, status: complete ? ('ok' as const) : ('no-agent' as const) };
    }),
  );
  migrations.forget(migration);
  return cancelled;
}

function lockAt(
  migrations: AskedMigrations,
  { move, affected }: Party,
  pair: Pair,
  { migration, group, leaseMs, round, deadlineMs }: LockRequest,
): Promise<Outcome<Locked>> {
  return migrations.converse<Locked>(move, {
    deadlineMs,
    requests: 1,
    carriers: [...affected.values()].map(({ connection }) => connection),
    request: (_one, from) => pair.seal({ type: 'lock', migration, group, leaseMs, round, from }),
    onAnswer: (message, conversation) => {
      if (message.type === 'locked' && message.round === round)
        conversation.accept(0, message.part, message.parts, message);
      if (message.type === 'working' && message.round === round)
        conversation.bear(Math.min(message.ms, LONGEST_WORK_MS));
    },
  });
}

function entriesByToken({ answers }: Outcome<Locked>): Map<string, LockedEntry> {
  return new Map(answers.flat().flatMap(({ entries }) => entries.map((entry) => [entry.token, entry])));
}
