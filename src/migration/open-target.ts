/** The source's way to a target host: its agent, and behind it a supervisor that waits for the program. */
import type { Config } from '../config';
import type { Channel } from '../protocol/channel/index';
import { connectToAgent, expectType, type SupervisorMessage, supervisorMessage } from '../protocol/control/index';

export interface Target {
  readonly channel: Channel<SupervisorMessage>;
  readonly address: string;
  /** This host's, as the target sees it. */
  readonly ownAddress: string;
}

/** Throws what `connect` does, and what keeps the target from taking a program. */
export async function openTarget(
  config: Config,
  to: { host: string; port: number },
  migration: string,
  program: string,
): Promise<Target> {
  const { channel, remoteAddress, localAddress } = await connectToAgent(config, to);
  try {
    expectType(await channel.request({ type: 'open-arrival', migration, program }, { timeoutMs: 10_000 }), 'opened');
  } catch (error) {
    channel.destroy();
    throw error;
  }
  return { channel: channel.withSchema(supervisorMessage), address: remoteAddress, ownAddress: localAddress };
}
