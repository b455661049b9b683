/**
 * Whether a program may come out of a checkpoint, as far as its peers and this host know. A file may be restored by two
 * at once: what the peers hold is claimed by the restore that asks first, and claimed once more before the commit.
 */
import type { MigrationTools } from '../../kinds/program';
import { native } from '../../native/index';
import type { Journal } from '../../program/journal';
import { type Arrival, expectType } from '../../protocol/control/index';
import { CLAIM_DEADLINE_MS, CLAIM_MS, claimTimeout, GIVE_BACK_DEADLINE_MS } from '../../times';
import type { Connection } from '../../vocabulary/endpoint';
import { type Reason, reasonsOfPeers, refusal } from '../../vocabulary/refusal';

/** A connection lives in one place: one that has followed already is nobody's to take. */
export async function judgeCheckpoint(arrival: Arrival, tools: MigrationTools, journal: Journal): Promise<Reason[]> {
  const { checkpoint } = arrival;
  if (checkpoint === null) return [];
  const restored: Reason[] = journal.outcome(checkpoint.id) === 'committed' && !checkpoint.again
    ? [{ code: 'E_CHECKPOINT_USED', message: 'it was restored on this host before; once more: migrun restore --again' }]
    : [];
  return [...restored, ...(await claim(arrival, tools))];
}

/** Claims once more, just before the commit. Throws where another restore has the claim now. */
export async function renewClaim(arrival: Arrival, tools: MigrationTools): Promise<void> {
  const reasons = await claim(arrival, tools);
  if (reasons.length > 0) throw refusal(reasons, 'the checkpoint is as it was');
}

/** Ends the claim of a restore that comes to nothing, so that the next one need not wait. */
export async function giveBack(arrival: Arrival, tools: MigrationTools): Promise<void> {
  await ask(arrival, tools, 0, GIVE_BACK_DEADLINE_MS).catch((error: unknown) =>
    tools.log.warn({ err: error }, 'a claim was not given back; it ends by itself')
  );
}

async function claim(arrival: Arrival, tools: MigrationTools): Promise<Reason[]> {
  const told = await ask(arrival, tools, CLAIM_MS, CLAIM_DEADLINE_MS);
  return reasonsOfPeers(
    told.filter(({ status }) =>
      ['moved', 'claimed'].includes(status) || (status === 'not-held' && arrival.checkpoint?.again !== true)
    ),
  );
}

async function ask(
  { checkpoint, migration }: Arrival,
  { agent }: MigrationTools,
  leaseMs: number,
  deadlineMs: number,
): Promise<{ connection: Connection; status: string }[]> {
  const connections = (checkpoint?.peers ?? []).flatMap(({ connection, ...at }) => {
    const { local, remote } = connection;
    const address = native.socketRouteSource(remote.address); // a missing route is refused elsewhere, as E_NO_ROUTE
    return address === null ? [] : [{ connection, to: { local: { address, port: local.port }, remote }, ...at }];
  });
  if (checkpoint === null || connections.length === 0) return [];
  const { id, tickets } = checkpoint;
  const answer = await agent.ask({
    type: 'claim',
    migration: id,
    restore: migration,
    leaseMs,
    tickets,
    connections,
    deadlineMs,
  }, claimTimeout(deadlineMs));
  return expectType(answer, 'held').peers.map(({ connection, status }) => ({
    connection,
    status: ['ok', 'moved', 'claimed'].includes(status) ? status : 'not-held',
  }));
}
