/** What takes a supervisor a while: the steps that it reports meanwhile, and the report at the end. */
import { MigrunError } from '../errors';
import type { Channel } from '../protocol/channel/index';
import { expectType, type SupervisorMessage } from '../protocol/control/index';
import type { StepReport } from '../supervisor/progress';

/** The answer to what was asked for. Closes the channel. `hint`: how to see what became of it where no answer comes. */
export async function awaitReport<Type extends 'migrated' | 'checkpointed'>(
  channel: Channel<SupervisorMessage>,
  request: SupervisorMessage,
  type: Type,
  quiet: boolean,
  hint: string,
): Promise<Extract<SupervisorMessage, { type: Type }>> {
  const answer = await Promise.race([channel.request(request), followSteps(channel, quiet)]);
  channel.destroy();
  if (answer === undefined)
    throw new MigrunError('E_CHANNEL_CLOSED', 'the supervisor went away without a report', { hint });
  return expectType(answer, type);
}

export function showStep({ step, state, ms }: StepReport): void {
  if (state === 'undone') process.stderr.write(`  undone: ${step} (${ms.toFixed(1)} ms)\n`);
  else if (state === 'started' && process.stderr.isTTY) process.stderr.write(`  ${step} ...\r`);
}

/** Resolves when the channel has ended: no answer comes any more. */
async function followSteps(channel: Channel<SupervisorMessage>, quiet: boolean): Promise<undefined> {
  for await (const incoming of channel) {
    if (incoming.kind === 'message' && incoming.message.type === 'progress' && !quiet) showStep(incoming.message);
  }
  return undefined;
}
