/** RESUME, from the target: the peers are told where their connections are now. */
import { expectType, type ResumedPeer } from '../protocol/control/index';
import type { MigrationTools } from './program';
import type { MovedPeer } from './moved-peers';
import type { MovingState } from './state';

/** A peer that has not answered by then is let go: the program does not wait longer for it. */
const RESUME_DEADLINE_MS = 3_000;
/** The program has waited long by then, but without an agent every connection would be lost. */
const AGENT_PATIENCE_MS = 30_000;

export async function tellPeers({ agent, log }: MigrationTools, { migration, group, tickets }: MovingState, moved: MovedPeer[]): Promise<ResumedPeer[]> {
  if (moved.length === 0) return [];
  try {
    const answer = await agent.insist({ type: 'resume', migration, group, role: 'target', tickets, moved, deadlineMs: RESUME_DEADLINE_MS }, AGENT_PATIENCE_MS);
    return expectType(answer, 'resumed').peers;
  } catch (error) {
    log.error({ err: error }, 'the agent could not tell the peers; the source does');
    return [];
  }
}
