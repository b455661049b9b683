/**
 * A supervisor's line to the agent of its host. When the agent has died, the folder of the agent's socket is watched,
 * and the line comes back when another agent has made its socket there. Each new line begins with the greeting, so the
 * agent learns of the program anew.
 */
import { existsSync, type FSWatcher, mkdirSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { MigrunError } from '../errors';
import type { AgentLink } from '../kinds/program';
import type { Logger } from '../log';
import type { Channel } from '../protocol/channel/index';
import { type AgentMessage, agentMessage, connectLocal, serve } from '../protocol/control/index';
import { AGENT_TIMEOUT_MS } from '../times';

export class AgentLine implements AgentLink {
  private channel: Channel<AgentMessage> | undefined;
  private watcher: FSWatcher | undefined;
  private opening = false;
  private isNew = false;
  private closed = false;
  private readonly waiters = new Set<() => void>();
  /** Called when an agent that was there is gone, for whatever reason. */
  onLost: (() => void) | undefined;

  /** `greeting` makes the first message of a line. */
  constructor(
    private readonly path: string,
    private readonly greeting: () => AgentMessage,
    private readonly log: Logger,
  ) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  }

  /** Opens the line; where no agent runs, it comes up with the next one. */
  async start(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      this.log.warn({ err: error }, 'no agent');
      this.await();
    }
  }

  async ask(message: AgentMessage, timeoutMs = AGENT_TIMEOUT_MS): Promise<AgentMessage> {
    if (this.channel === undefined)
      throw new MigrunError('E_NOT_RUNNING', 'the agent of this host does not run', { hint: 'start it: migrun agent' });
    return this.channel.request(message, { timeoutMs });
  }

  async insist(message: AgentMessage, timeoutMs: number): Promise<AgentMessage> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.channel;
      try {
        return await this.ask(message, timeoutMs);
      } catch (error) {
        const isGone = error instanceof MigrunError && ['E_NOT_RUNNING', 'E_CHANNEL_CLOSED'].includes(error.code);
        if (!isGone || !(await this.another(line, deadline - performance.now()))) throw error;
      }
    }
  }

  close(): void {
    this.closed = true;
    this.watcher?.close();
    this.channel?.destroy();
  }

  /** Throws E_NOT_RUNNING where no agent runs. */
  private async open(): Promise<void> {
    const channel = await connectLocal(this.path, agentMessage, 'the agent');
    try {
      void serve(channel, () => Promise.resolve()).catch(() => undefined); // its end shows in `closed`
      await channel.request(this.greeting());
    } catch (error) {
      channel.destroy();
      throw error;
    }
    this.channel = channel;
    void channel.closed.then(() => this.lost());
    if (this.closed) channel.destroy();
    for (const wake of [...this.waiters]) wake();
  }

  /** True once there is another line than this one; false where none came within this time. */
  private another(line: Channel<AgentMessage> | undefined, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.channel !== undefined && this.channel !== line) settle(true);
      };
      const settle = (came: boolean): void => {
        clearTimeout(timer);
        this.waiters.delete(look);
        resolve(came);
      };
      const timer = setTimeout(() => settle(false), Math.max(0, timeoutMs));
      this.waiters.add(look);
      look();
    });
  }

  private lost(): void {
    this.channel = undefined;
    if (this.closed) return;
    this.log.warn('the agent went away');
    this.onLost?.();
    this.await();
  }

  private await(): void {
    this.watcher?.close();
    this.watcher = watch(dirname(this.path), (_event, name) => {
      if (name === basename(this.path) && existsSync(this.path)) void this.retry();
    });
    void this.retry();
  }

  /** Tries once, and again where the agent's socket was made anew meanwhile. */
  private async retry(): Promise<void> {
    this.isNew = true;
    if (this.opening) return;
    this.opening = true;
    while (this.isNew && this.channel === undefined && !this.closed) {
      this.isNew = false;
      await this.open().then(
        () => this.watcher?.close(),
        () => undefined, // the watch tells when there is another one
      );
    }
    this.opening = false;
  }
}
