/** The source's way to a target host: its agent, and behind it a supervisor that waits for the program. */
import { hostname } from 'node:os';
import type { Config } from '../config';
import { type Channel, connect, type Connected, readClusterKey } from '../protocol/channel/index';
import { expectType, type HostMessage, hostMessage, type SupervisorMessage,
  supervisorMessage } from '../protocol/control/index';
import { VERSION } from '../version';

export interface Target {
  readonly channel: Channel<SupervisorMessage>;
  readonly address: string;
  /** This host's, as the target sees it. */
  readonly ownAddress: string;
}

export function connectToAgent(
  config: Config,
  { host, port }: { host: string; port: number },
): Promise<Connected<HostMessage>> {
  return connect({
    host,
    port,
    key: readClusterKey(config.clusterKeyFile),
    identity: { version: VERSION, host: hostname() },
    schema: hostMessage,
  });
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
