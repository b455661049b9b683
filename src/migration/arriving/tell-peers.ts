/** RESUME, from the target: the peers are told where their connections are now. */
import type { MigrationTools } from '../../kinds/program';
import type { MovedPeer } from '../../kinds/saved';
import { expectType, type ResumedPeer } from '../../protocol/control/index';
import { agentTimeout } from '../../times';
import type { MovingState } from '../state';

/**
 * Tells the peers of these connections; gives their answers in the order of `moved`. A peer that says nothing for
 * `deadlineMs` has the status no-agent, and may be asked again.
 */
export async function tellPeers(
  { agent, log }: MigrationTools,
  { migration, group, tickets }: MovingState,
  moved: readonly MovedPeer[],
  deadlineMs: number,
): Promise<ResumedPeer[]> {
  if (moved.length === 0) return [];
  try {
    // A peer that is silent is late soon, and the program runs; where our own agent is missing, the program waits
    // frozen for the next one. To make all of its connections late instead would lose them where that takes longer than
    // their lease: a peer that nobody has told resets what it hears from the new address. The source cannot tell them
    // before this host has an agent that says how the commit ended, unless it had heard that already.
    const answer = await agent.insist({
      type: 'resume',
      migration,
      group,
      role: 'target',
      tickets,
      moved: [...moved],
      deadlineMs,
    }, agentTimeout(moved));
    return expectType(answer, 'resumed').peers;
  } catch (error) {
    log.error({ err: error }, 'the agent could not tell the peers');
    return moved.map(({ connection }) => ({ connection, status: 'no-agent' }));
  }
}

/** Counts the peers of each status, for the log. */
export function tally(peers: readonly ResumedPeer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of peers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
