/** What a move needs of the supervisor that runs the program, and of the agent of its host. */
import type { Config } from '../config';
import type { Logger } from '../log';
import type { Registry } from '../native/index';
import type { ConsoleState } from '../program/console-state';
import type { ProgramIdentity } from '../program/record';
import type { Terminal } from '../program/stdio-ends';
import type { AgentMessage, ProgramSummary } from '../protocol/control/index';

/** Asks the agent of this host; the answer is of the type that belongs to the question. */
export interface AgentLink {
  ask(message: AgentMessage, timeoutMs?: number): Promise<AgentMessage>;
  /**
   * Asks as `ask` does. If the agent dies over it, the next one is asked, if it comes within this time; each has as
   * long for its answer.
   */
  insist(message: AgentMessage, timeoutMs: number): Promise<AgentMessage>;
}

export interface MovingProgram {
  readonly identity: Pick<ProgramIdentity, 'id' | 'group'>;
  readonly summary: ProgramSummary;
  readonly cgroup: string;
  readonly initPid: number;
  readonly registry: Registry | undefined;
  readonly terminal: Terminal | undefined;
  /** Stops reading what the program prints and writing what is typed; gives what the console has not got yet. */
  freezeConsole(): void;
  /** Resolves when the console has got what it was sent, or this time is over: it will not be told where to go on. */
  consoleSettled(timeoutMs: number): Promise<void>;
  consoleState(): ConsoleState;
  thawConsole(): void;
}

export interface MigrationTools {
  readonly config: Config;
  readonly log: Logger;
  readonly agent: AgentLink;
}

/** A program that is to leave this host, and what there is to work with. */
export interface LeavingProgram {
  readonly program: MovingProgram;
  readonly tools: MigrationTools;
  /** This host's addresses, without loopback. */
  readonly addresses: ReadonlySet<string>;
}
