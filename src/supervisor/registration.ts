/**
 * What the agent of this host knows of the program: `migrun ls` shows it, and other programs' migrations go by it. The
 * program runs on without an agent; the next one learns of it when its line comes up.
 */

import type { Config } from '../config';
import type { Logger } from '../log';
import type { ProgramIdentity } from '../program/record';
import type { AgentMessage, ProgramSummary } from '../protocol/control/index';
import { AgentLine } from './agent-line';
import type { Program } from './program';
import { isFrozen, unlockAndThaw } from './undo-crash';

export class Registration {
  readonly agent: AgentLine;
  private program: Program | undefined;
  /** Tells of the program until it is here. */
  private expected: ProgramSummary;
  private readonly recounts = new Throttle(() => this.recount());

  constructor(id: string, config: Config, private readonly log: Logger) {
    this.expected = {
      id,
      group: '0'.repeat(32),
      command: [],
      pid: process.pid,
      state: 'arriving',
      connections: 0,
      startedAt: Date.now(),
    };
    this.agent = new AgentLine(config.agentSocket, () => this.message(), log);
    this.agent.onLost = () => this.agentLost();
  }

  /** The program of this identity is here, and not in order yet. */
  expectRecovery(identity: ProgramIdentity): void {
    const { id, group, command, startedAt } = identity;
    this.expected = { ...this.expected, id, group, command, startedAt, state: 'migrating' };
  }

  /** From here on the agent is told of this program, also of connections that it makes and ends. */
  follow(program: Program): void {
    this.program = program;
    program.onSockets = () => this.recounts.ask();
  }

  /** Tells the agent what the program is now. */
  async update(): Promise<void> {
    if (this.program === undefined) return;
    const { summary, cgroup } = this.program;
    await this.agent.ask({ type: 'update', program: summary, cgroup }).catch((error: unknown) =>
      this.log.debug({ err: error }, 'the agent was not told')
    );
  }

  /** Tells the agent of the change, and has the connections counted. */
  async updateAll(): Promise<void> {
    await this.update();
    this.recounts.ask();
  }

  close(): void {
    this.recounts.close();
    this.agent.close();
  }

  private message(): AgentMessage {
    const { summary, cgroup } = this.program ?? { summary: this.expected, cgroup: '' };
    return { type: 'register', program: summary, cgroup };
  }

  /** A program that stands still is not looked at. */
  private recount(): void {
    if (this.program?.state !== 'running') return;
    this.program.countConnections();
    void this.update();
  }

  /** An agent that died while it rebound a connection of the program has left all of it frozen. */
  private agentLost(): void {
    const { program } = this;
    if (program?.state === 'running' && isFrozen(program.cgroup))
      unlockAndThaw(program.cgroup, program.registry, this.log);
  }
}

/** How many times longer than the work the wait after it is. */
const WAIT_PER_WORK = 30;

/**
 * For work that is asked for more often than it should be done. The first request is done at once. Those that come soon
 * after it are done together, once, when a wait is over. The wait is a multiple of the time that the work took, so the
 * work never takes more than a small share of a processor.
 */
export class Throttle {
  private timer: NodeJS.Timeout | undefined;
  private isAsked = false;

  constructor(private readonly work: () => void) {}

  ask(): void {
    if (this.timer !== undefined) this.isAsked = true;
    else this.run();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private run(): void {
    const began = performance.now();
    this.work();
    this.timer = setTimeout(() => this.waitEnded(), WAIT_PER_WORK * (performance.now() - began));
  }

  private waitEnded(): void {
    this.timer = undefined;
    if (!this.isAsked) return;
    this.isAsked = false;
    this.run();
  }
}
