/**
 * One program's life on this host: it was started here or has arrived, is looked at, is moved away, or ends.
 *
 * It serves a UNIX socket, <runDir>/programs/<id>.sock, for the command line, for consoles, and for the source of a
 * program that arrives.
 */
import type { Server } from 'node:net';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { runSteps } from '../migration/driver';
import { Journal } from '../migration/journal';
import { SOURCE_STEPS } from '../migration/source';
import { SourceContext } from '../migration/source-context';
import { native } from '../native/index';
import { createPod, INIT_STDERR_READ, INIT_STDIN_WRITE, INIT_STDOUT_READ, removeCgroup, takeFromInit, type Pod, type StdioEnds } from '../program/pod';
import type { Channel, IncomingMessage } from '../protocol/channel/index';
import { listenLocal, serve, supervisorMessage, type AgentMessage, type MigrationReport, type SupervisorMessage } from '../protocol/control/index';
import type { ArrivedProgram } from '../migration/target';
import { AgentLine } from './agent-link';
import { Arrivals } from './arrivals';
import { inspect } from './inspect';
import { Program, type ProgramIdentity } from './program';
import { freshStdioState } from './stdio';

/** How long a program that ended waits for its console to fetch its status. */
const FAREWELL_MS = 10_000;

export class Supervisor {
  readonly socketPath: string;
  /** Resolves when there is nothing left to supervise here: with the program's exit status, or undefined: it moved. */
  readonly done: Promise<number | undefined>;
  private finish!: (status: number | undefined) => void;
  private server: Server | undefined;
  private program: Program | undefined;
  private moving = false;
  private exitStatus: number | undefined;
  private readonly agent: AgentLine;
  private readonly journal: Journal;

  constructor(
    readonly id: string,
    private readonly config: Config,
    private readonly log: Logger,
  ) {
    this.socketPath = join(config.programsDir, `${id}.sock`);
    this.journal = new Journal(config.journalDir);
    this.agent = new AgentLine(config.agentSocket, () => this.registration(), log);
    this.done = new Promise((resolve) => (this.finish = resolve));
  }

  /** Starts a program here. */
  async start(command: readonly string[], terminal: { rows: number; columns: number } | undefined): Promise<ProgramIdentity> {
    native.becomeSubreaper();
    const pod = await createPod(this.config, { id: this.id, command, terminal });
    const identity = { id: this.id, group: randomBytes(16).toString('hex'), command, startedAt: Date.now(), token: randomBytes(16).toString('hex') };
    this.adopt(new Program(identity, pod, freshStdioState(), this.log, (status) => void this.ended(status)));
    await this.serve();
    await this.agent.open();
    return identity;
  }

  /** Waits for a program to arrive. */
  async awaitArrival(): Promise<void> {
    native.becomeSubreaper();
    await this.agent.open();
    await this.serve();
  }

  private async serve(): Promise<void> {
    this.server = await listenLocal(this.socketPath, supervisorMessage, (channel) => this.serveChannel(channel));
  }

  private serveChannel(channel: Channel<SupervisorMessage>): void {
    const arrivals = new Arrivals(channel, { config: this.config, log: this.log, agent: this.agent }, this.journal, {
      arrived: (program) => this.receive(program),
      failed: () => void this.close(undefined),
    });
    void serve(channel, (incoming) => this.handle(channel, incoming, arrivals), (data) => arrivals.take(data)).catch((error: unknown) => this.log.warn({ err: error }, 'a channel broke'));
  }

  private async handle(channel: Channel<SupervisorMessage>, incoming: IncomingMessage<SupervisorMessage>, arrivals: Arrivals): Promise<SupervisorMessage | void> {
    const { message } = incoming;
    if (this.program === undefined) return arrivals.handle(message);
    if (await this.program.console.handle(channel, incoming)) return;
    switch (message.type) {
      case 'inspect':
        return { type: 'inspected', inspection: await inspect(this.program, this.agent) };
      case 'migrate':
        return { type: 'migrated', report: await this.migrate(message.to, message.port, channel) };
      default:
        throw new MigrunError('E_PROTOCOL', `${message.type} is not for a running program`);
    }
  }

  private adopt(program: Program): void {
    this.program = program;
    program.onSockets = () => void this.tellAgent();
  }

  /** What `migrun ls` shows is the agent's to know; without an agent the program runs on all the same. */
  private async tellAgent(): Promise<void> {
    if (this.program === undefined) return;
    const { summary, cgroup } = this.program;
    await this.agent.ask({ type: 'update', program: summary, cgroup }).catch((error: unknown) => this.log.debug({ err: error }, 'the agent was not told'));
  }

  private registration(): AgentMessage {
    const summary = this.program?.summary ?? { id: this.id, group: '0'.repeat(32), command: [], pid: process.pid, state: 'arriving' as const, connections: 0, startedAt: Date.now() };
    return { type: 'register', program: summary, cgroup: this.program?.cgroup ?? '', socket: this.socketPath };
  }

  // leaving

  private async migrate(to: string, port: number, channel: Channel<SupervisorMessage>): Promise<MigrationReport> {
    const program = this.program as Program;
    if (this.moving) throw new MigrunError('E_BUSY', `program ${this.id} is already moving`, { hint: 'wait for it' });
    this.moving = true;
    program.state = 'migrating';
    const context = new SourceContext(program, { config: this.config, log: this.log, agent: this.agent }, this.journal, { host: to, port });
    try {
      await this.tellAgent();
      const startedAt = performance.now();
      const phases = await runSteps(SOURCE_STEPS, context, (step, state, ms) => void channel.send({ type: 'progress', step, state, ms }).catch(() => undefined), this.log);
      const report = { migration: context.migration, program: this.id, target: to, phases, connections: context.saved.length, bytes: context.bytes, frozenMs: performance.now() - context.frozenAt };
      this.log.info({ report, totalMs: performance.now() - startedAt }, 'moved');
      program.state = 'moved';
      setImmediate(() => void this.leave(context.target?.address ?? to, port));
      return report;
    } catch (error) {
      program.state = 'running';
      this.moving = false;
      if (this.exitStatus !== undefined) void this.ended(this.exitStatus);
      await this.tellAgent();
      throw error;
    } finally {
      this.moving = false;
    }
  }

  private async leave(host: string, port: number): Promise<void> {
    const program = this.program as Program;
    await program.console.moved(host, port);
    program.close();
    await this.close(undefined);
  }

  // arriving

  /** After the commit: the program is this supervisor's. */
  private receive({ arrival, state, cgroup, initPid, terminal, inodes }: ArrivedProgram): Program {
    const stdio: StdioEnds =
      terminal === undefined
        ? { kind: 'pipes', stdin: state.console.inputEnded ? undefined : takeFromInit(initPid, INIT_STDIN_WRITE), stdout: takeFromInit(initPid, INIT_STDOUT_READ), stderr: takeFromInit(initPid, INIT_STDERR_READ) }
        : { kind: 'terminal', terminal };
    const pod: Pod = { id: this.id, cgroup, initPid, stdio };
    const { group, command, startedAt } = arrival.program;
    const program = new Program({ id: this.id, group, command, startedAt, token: state.console.token }, pod, state.console, this.log, (status) => void this.ended(status));
    this.adopt(program);
    program.registry?.moveInodes(inodes);
    program.registry?.endFreeze();
    void this.tellAgent();
    return program;
  }

  // the end

  private async ended(status: number): Promise<void> {
    const program = this.program as Program;
    this.exitStatus = status;
    if (program.state === 'moved' || this.moving) return; // the copy that stayed was killed, or the migration will see to it
    program.state = 'ended';
    let timer: NodeJS.Timeout | undefined;
    const farewell = new Promise<void>((resolve) => (timer = setTimeout(resolve, FAREWELL_MS)));
    await Promise.race([program.console.exited(status), farewell]);
    clearTimeout(timer);
    program.close();
    await this.close(status);
  }

  private async close(status: number | undefined): Promise<void> {
    this.server?.close();
    rmSync(this.socketPath, { force: true });
    if (this.program !== undefined) await removeCgroup(this.program.cgroup);
    this.agent.close();
    this.finish(status);
  }
}
