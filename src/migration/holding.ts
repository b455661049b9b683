/** A program that comes out of a checkpoint: whether it may, as far as its peers and this host know. */
import { native } from '../native/index';
import { expectType, type Arrival } from '../protocol/control/index';
import type { Journal } from './journal';
import type { MigrationTools } from './program';
import { reasonsOfPeers } from './refusal';
import type { Reason } from './rules';

const ASK_DEADLINE_MS = 5_000;

/** A connection lives in one place: one that has followed already is nobody's to take. */
export async function judgeCheckpoint({ checkpoint }: Arrival, { agent }: MigrationTools, journal: Journal): Promise<Reason[]> {
  if (checkpoint === null) return [];
  const { id, tickets, peers, again } = checkpoint;
  const restored: Reason[] = journal.outcome(id) === 'committed' && !again ? [{ code: 'E_CHECKPOINT_USED', message: 'it was restored on this host before; once more: migrun restore --again' }] : [];
  const connections = peers.flatMap(({ connection, ...at }) => {
    const { local, remote } = connection;
    const address = native.routeSource(remote.address); // null is told as E_NO_ROUTE
    return address === null ? [] : [{ connection, to: { local: { address, port: local.port }, remote }, ...at }];
  });
  if (connections.length === 0) return restored;
  const answer = await agent.ask({ type: 'ask-holds', migration: id, tickets, connections, deadlineMs: ASK_DEADLINE_MS }, 2 * ASK_DEADLINE_MS);
  const told = expectType(answer, 'holds-are').peers.map(({ connection, status }) => ({ connection, status: status === 'ok' || status === 'moved' ? status : 'not-held' }));
  return [...restored, ...reasonsOfPeers(told.filter(({ status }) => status === 'moved' || (status === 'not-held' && !again)))];
}
