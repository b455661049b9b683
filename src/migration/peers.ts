/** What the source has the agent of its host say to the peers. */
import { MigrunError } from '../errors';
import { native } from '../native/index';
import { expectType } from '../protocol/control/index';
import { type Connection, connectionText } from '../vocabulary/endpoint';
import { reasonsOfPeers, refusal } from './refusal';
import type { SourceContext } from './source-context';

/** A peer that can follow answers at once, on a host that has no CPU to spare within seconds; what takes longer has no agent. */
const HELLO_DEADLINE_MS = 5_000;
const SUSPEND_DEADLINE_MS = 5_000;
const CANCEL_DEADLINE_MS = 2_000;

/** How long our own agent may take over these: it gives up by itself where a peer is silent, and many take long. */
export function agentPatience(connections: readonly unknown[]): number {
  return 30_000 + 10 * connections.length;
}

/** HELLO: which of these connections' other ends can follow. */
export async function introducePeers(
  { tools, group }: SourceContext,
  connections: Connection[],
): Promise<{ connection: Connection; status: string }[]> {
  if (connections.length === 0) return [];
  const answer = await tools.agent.ask(
    { type: 'introduce', group, connections, deadlineMs: HELLO_DEADLINE_MS },
    agentPatience(connections),
  );
  return expectType(answer, 'introduced').peers;
}

/** SUSPEND, or SUSPEND again. Rejects where any peer does not hold. */
export async function suspendPeers(
  context: SourceContext,
  connections: Connection[],
  leaseMs = context.leaseMs,
): Promise<void> {
  noteRenewal(context);
  if (connections.length === 0) return;
  context.suspendings++;
  try {
    await askToSuspend(context, connections, leaseMs);
  } finally {
    context.suspendings--;
  }
}

async function askToSuspend(context: SourceContext, connections: Connection[], leaseMs: number): Promise<void> {
  const { migration, group, round } = context;
  const request = {
    type: 'suspend',
    migration,
    group,
    connections,
    leaseMs,
    round,
    deadlineMs: SUSPEND_DEADLINE_MS,
  } as const;
  const answer = await context.tools.agent.ask(request, agentPatience(connections));
  const { peers, tickets } = expectType(answer, 'suspended');
  const refused = peers.filter(({ status }) => status !== 'ok');
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  for (const { connection, rcvNxt } of peers) context.suspended.set(connectionText(connection), { connection, rcvNxt });
  context.tickets = tickets;
}

/** From now on until `endLease` every lease is renewed in good time, however long the dump and the transfer take. */
export function keepLease(context: SourceContext): void {
  context.lease = setInterval(() => {
    if (context.leased) native.socketLock(context.liveFds, context.leaseMs);
    // A peer answers for its last round only; where one takes longer than this, it is a renewal itself.
    if (context.suspendings > 0) return;
    context.round++;
    context.renewal = suspendPeers(context, [...context.suspended.values()].map(({ connection }) => connection)).catch(
      (error: unknown) => {
        context.leaseFailure = error;
        context.tools.log.warn({ err: error }, 'a lease was not renewed');
      },
    );
  }, context.leaseMs / 3);
}

function noteRenewal(context: SourceContext): void {
  const now = performance.now();
  if (context.renewedAt !== undefined) context.longestGap = Math.max(context.longestGap, now - context.renewedAt);
  context.renewedAt = now;
}

/** Before the commit. Throws where a lease may have ended: a socket that was unlocked for a moment could have acknowledged what its saved state does not have. */
export function requireLeases(context: SourceContext): void {
  noteRenewal(context);
  if (context.leaseFailure !== undefined) {
    throw new MigrunError('E_LEASE', 'a peer did not renew its lease', {
      hint: 'does its agent run? try again',
      cause: context.leaseFailure,
    });
  }
  if (context.longestGap < context.leaseMs) return;
  throw new MigrunError('E_LEASE', `a lease of ${Math.round(context.leaseMs / 1000)} s ended before it was renewed`, {
    hint: 'is this host overloaded? try again',
  });
}

export function endLease(context: SourceContext): void {
  clearInterval(context.lease);
  context.lease = undefined;
}

/** CANCEL: the peers go on where they were. */
export async function cancelPeers({ tools, migration }: SourceContext): Promise<void> {
  await tools.agent.ask({ type: 'cancel', migration, deadlineMs: CANCEL_DEADLINE_MS });
}
