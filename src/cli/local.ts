/** What the command line asks of this host's agent and supervisors. */
import { spawnSelf } from '../agent/spawn-self';
import { type Config, logFileOf, socketOf } from '../config';
import { MigrunError } from '../errors';
import type { Channel } from '../protocol/channel/index';
import { type AgentMessage, agentMessage, connectLocal, expectType, type ProgramSummary, type SupervisorMessage,
  supervisorMessage } from '../protocol/control/index';
import { COMMAND_TIMEOUT_MS } from '../times';

/** Starts this host's agent where none runs. */
export async function ensureAgent(config: Config): Promise<void> {
  if (await hasAgent(config)) return;
  try {
    await spawnSelf(['agent'], logFileOf(config, 'agent'));
  } catch (error) {
    // Another command may have been faster.
    if (!(await hasAgent(config))) throw error;
  }
}

async function hasAgent(config: Config): Promise<boolean> {
  try {
    (await connectLocal(config.agentSocket, agentMessage, 'the agent')).destroy();
    return true;
  } catch (error) {
    if (error instanceof MigrunError && error.code === 'E_NOT_RUNNING') return false;
    throw error;
  }
}

export async function askAgent(
  config: Config,
  message: AgentMessage,
  timeoutMs = COMMAND_TIMEOUT_MS,
): Promise<AgentMessage> {
  let channel: Channel<AgentMessage>;
  try {
    channel = await connectLocal(config.agentSocket, agentMessage, 'the agent');
  } catch (error) {
    throw new MigrunError('E_NOT_RUNNING', 'no agent runs on this host', {
      hint: 'start it: migrun agent',
      cause: error,
    });
  }
  try {
    return await channel.request(message, { timeoutMs });
  } finally {
    channel.destroy();
  }
}

export async function listPrograms(config: Config): Promise<ProgramSummary[]> {
  return expectType(await askAgent(config, { type: 'list' }), 'listed').programs;
}

/** Gives the program with this id, or whose id starts with it. Throws E_NO_PROGRAM, also where several do. */
export async function findProgram(config: Config, id: string): Promise<ProgramSummary> {
  const programs = await listPrograms(config);
  const found = /^[0-9a-f]+$/.test(id) ? programs.filter((program) => program.id.startsWith(id)) : [];
  const [summary, another] = found;
  if (summary === undefined)
    throw new MigrunError('E_NO_PROGRAM', `no program ${id} runs here`, { hint: 'see them: migrun ls' });
  if (another !== undefined)
    throw new MigrunError('E_NO_PROGRAM', `${id} could be ${found.map((program) => program.id).join(' or ')}`, {
      hint: 'give more of the id',
    });
  return summary;
}

/** Gives the program that `findProgram` does, and a channel to its supervisor. */
export async function openProgram(
  config: Config,
  id: string,
): Promise<{ summary: ProgramSummary; channel: Channel<SupervisorMessage> }> {
  const summary = await findProgram(config, id);
  const channel = await connectLocal(
    socketOf(config, summary.id),
    supervisorMessage,
    `the supervisor of ${summary.id}`,
  );
  return { summary, channel };
}
