/**
 * Answers other hosts that have shown the cluster key. Where they want a supervisor of this host, the agent connects
 * the rest of the channel to it and has no more to do with it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Config, logFileOf, socketOf } from '../config';
import { asMigrunError, MigrunError } from '../errors';
import type { Logger } from '../log';
import type { Journal } from '../program/journal';
import type { Connected, IncomingMessage } from '../protocol/channel/index';
import type { HostMessage } from '../protocol/control/index';
import { spawnSelf } from './spawn-self';

export class Door {
  constructor(private readonly config: Config, private readonly journal: Journal, private readonly log: Logger) {}

  async admit({ channel, remoteAddress }: Connected<HostMessage>): Promise<void> {
    try {
      for (let incoming = await channel.receive(); incoming !== null; incoming = await channel.receive()) {
        if (incoming.kind !== 'message') throw new MigrunError('E_PROTOCOL', 'data before anything was opened');
        const supervisor = await this.answer(incoming);
        if (supervisor !== undefined) return await channel.pipeTo(supervisor);
      }
    } catch (error) {
      this.log.warn({ err: error, remoteAddress }, 'a channel from another host broke');
      channel.destroy();
    }
  }

  /** Answers one question. Gives a socket to the supervisor that the rest of the channel is for, if it is for one. */
  private async answer(incoming: IncomingMessage<HostMessage>): Promise<Socket | undefined> {
    const { message } = incoming;
    try {
      switch (message.type) {
        case 'open-arrival':
        case 'open-console': {
          if (message.type === 'open-arrival')
            await spawnSelf(['supervise', message.program], logFileOf(this.config, message.program));
          const socket = await this.connectTo(message.program);
          await incoming.reply({ type: 'opened' });
          return socket;
        }
        case 'ask-outcome':
          await incoming.reply({ type: 'outcome-is', outcome: this.journal.decide(message.migration, 'aborted') });
          return undefined;
        default:
          throw new MigrunError('E_PROTOCOL', `an agent is not told ${message.type}`);
      }
    } catch (error) {
      await incoming.fail(asMigrunError(error));
      return undefined;
    }
  }

  private async connectTo(program: string): Promise<Socket> {
    const socket = connect({ path: socketOf(this.config, program) });
    await once(socket, 'connect').catch((cause: Error) => {
      throw new MigrunError('E_NO_PROGRAM', `no program ${program} here`, { cause });
    });
    return socket.on('error', () => socket.destroy());
  }
}
