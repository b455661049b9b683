/**
 * A supervisor's line to the agent of its host. It comes back by itself when the agent is started again: the agent
 * then learns of the program anew.
 */
import { existsSync, mkdirSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import type { AgentLink } from '../migration/program';
import type { Channel } from '../protocol/channel/index';
import { agentMessage, connectLocal, serve, type AgentMessage } from '../protocol/control/index';

export class AgentLine implements AgentLink {
  private channel: Channel<AgentMessage> | undefined;
  private watcher: FSWatcher | undefined;
  private closed = false;

  /** `greeting` is sent first on each new line. */
  constructor(
    private readonly path: string,
    private readonly greeting: () => AgentMessage,
    private readonly log: Logger,
  ) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  }

  /** Throws E_NOT_RUNNING where no agent runs. */
  async open(): Promise<void> {
    const channel = await connectLocal(this.path, agentMessage, 'the agent');
    void serve(channel, () => Promise.resolve());
    await channel.request(this.greeting());
    this.channel = channel;
    void channel.closed.then(() => this.lost());
  }

  async ask(message: AgentMessage, timeoutMs = 30_000): Promise<AgentMessage> {
    if (this.channel === undefined) throw new MigrunError('E_NOT_RUNNING', 'the agent of this host does not run', { hint: 'start it: migrun agent' });
    return this.channel.request(message, { timeoutMs });
  }

  close(): void {
    this.closed = true;
    this.watcher?.close();
    this.channel?.destroy();
  }

  private lost(): void {
    this.channel = undefined;
    if (this.closed) return;
    this.log.warn('the agent went away');
    this.watcher?.close();
    this.watcher = watch(dirname(this.path), (_event, name) => {
      if (name === basename(this.path) && existsSync(this.path)) this.retry();
    });
    this.retry();
  }

  private retry(): void {
    if (this.channel !== undefined || this.closed) return;
    this.open().then(
      () => this.watcher?.close(),
      () => undefined, // the watch tells when there is another one
    );
  }
}
