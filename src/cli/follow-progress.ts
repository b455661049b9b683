/** The steps that a supervisor reports, for whoever looks on. */
import type { Channel } from '../protocol/channel/index';
import type { SupervisorMessage } from '../protocol/control/index';

export interface StepReport {
  readonly step: string;
  readonly state: 'started' | 'done' | 'undone';
  readonly ms: number;
}

export function showStep({ step, state, ms }: StepReport): void {
  if (state === 'undone') process.stderr.write(`  undone: ${step} (${ms.toFixed(1)} ms)\n`);
  else if (state === 'started' && process.stderr.isTTY) process.stderr.write(`  ${step} ...\r`);
}

/** Never resolves while the channel is open: the report is the answer to the request. */
export async function followProgress(channel: Channel<SupervisorMessage>, quiet: boolean): Promise<undefined> {
  for await (const incoming of channel) {
    if (incoming.kind === 'message' && incoming.message.type === 'progress' && !quiet) showStep(incoming.message);
  }
  return undefined;
}
