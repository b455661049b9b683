/** Starts this host's agent where none runs. */
import { join } from 'node:path';
import { spawnSelf } from '../agent/spawn-self';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import { agentMessage, connectLocal } from '../protocol/control/index';

export async function ensureAgent(config: Config): Promise<void> {
  if (await answers(config)) return;
  try {
    await spawnSelf(['agent'], join(config.runDir, 'log', 'agent.log'));
  } catch (error) {
    // Somebody else was faster.
    if (!(await answers(config))) throw error;
  }
}

async function answers(config: Config): Promise<boolean> {
  try {
    (await connectLocal(config.agentSocket, agentMessage, 'the agent')).destroy();
    return true;
  } catch (error) {
    if (error instanceof MigrunError && error.code === 'E_NOT_RUNNING') return false;
    throw error;
  }
}
