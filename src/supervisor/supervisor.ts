/**
 * One program's life on this host: it was started here, has arrived, or was left behind by a supervisor that died; it is
 * looked at, is moved away, or ends.
 *
 * It serves a UNIX socket, <runDir>/programs/<id>.sock, for the command line, for consoles, and for the source of a
 * program that arrives.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { checkpointSteps } from '../checkpoint/checkpoint';
import { CheckpointContext, type CheckpointRequest } from '../checkpoint/context';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { type Phase, runSteps, type Step } from '../migration/driver';
import { Journal } from '../migration/journal';
import { MigrationContext } from '../migration/migration-context';
import type { MigrationTools } from '../migration/program';
import { SOURCE_STEPS } from '../migration/source';
import type { SourceContext } from '../migration/source-context';
import type { ArrivedProgram } from '../migration/target';
import { native } from '../native/index';
import { Hold } from '../program/hold';
import { cgroupOf, createPod, type Pod, removeCgroup } from '../program/pod';
import { type ProgramIdentity, type ProgramRecord, Records } from '../program/record';
import type { Channel, IncomingMessage } from '../protocol/channel/index';
import { type AgentMessage, type CheckpointReport, listenLocal, type MigrationReport, type ProgramSummary, serve,
  type SupervisorMessage, supervisorMessage } from '../protocol/control/index';
import { AgentLine } from './agent-link';
import { Arrivals, identityOf } from './arrivals';
import { inspect } from './inspect';
import { isFrozen, letGo } from './let-go';
import { Program } from './program';
import { Progress } from './progress';
import { recover } from './recover';
import { Seldom } from './seldom';
import { freshStdioState, type StdioState } from './stdio-state';
import { within } from './within';

/** How long a program that ended waits for its console to fetch its status. */
const FAREWELL_MS = 10_000;
/** How long a program that was announced has to come. */
const ARRIVAL_WAIT_MS = 10_000;

export class Supervisor {
  readonly socketPath: string;
  /** Resolves when there is nothing left to supervise here: with the program's exit status, or undefined: it moved. */
  readonly done: Promise<number | undefined>;
  private finish!: (status: number | undefined) => void;
  private server: Server | undefined;
  private program: Program | undefined;
  private moving = false;
  private exitStatus: number | undefined;
  private hold: Hold | undefined;
  private console: ProgramRecord['console'] = 'here';
  /** What the agent is told while there is no program yet. */
  private expected: ProgramSummary;
  private arrivalTimer: NodeJS.Timeout | undefined;
  private readonly recounts = new Seldom(() => this.recount());
  private readonly agent: AgentLine;
  private readonly journal: Journal;
  private readonly records: Records;

  constructor(
    readonly id: string,
    private readonly config: Config,
    private readonly log: Logger,
  ) {
    this.socketPath = join(config.programsDir, `${id}.sock`);
    this.journal = new Journal(config.journalDir);
    this.records = new Records(config.programsDir);
    this.expected = {
      id,
      group: '0'.repeat(32),
      command: [],
      pid: process.pid,
      state: 'arriving',
      connections: 0,
      startedAt: Date.now(),
    };
    this.agent = new AgentLine(config.agentSocket, () => this.registration(), log);
    this.agent.onLost = () => this.agentLost();
    this.done = new Promise((resolve) => (this.finish = resolve));
  }

  /** Starts a program here. */
  async start(
    command: readonly string[],
    terminal: { rows: number; columns: number } | undefined,
  ): Promise<ProgramIdentity> {
    await this.take();
    const identity = {
      id: this.id,
      group: randomBytes(16).toString('hex'),
      command: [...command],
      startedAt: Date.now(),
      token: randomBytes(16).toString('hex'),
    };
    this.records.writeProgram({
      identity,
      cgroup: cgroupOf(this.id),
      terminal: terminal !== undefined,
      console: this.console,
      leaving: null,
    });
    try {
      const pod = await createPod(this.config, { id: this.id, command, terminal });
      this.adopt(identity, pod, freshStdioState());
    } catch (error) {
      await this.close(undefined);
      throw error;
    }
    await this.serve();
    await this.agent.start();
    return identity;
  }

  /** Waits for a program to arrive. */
  async awaitArrival(): Promise<void> {
    await this.take();
    if (this.records.has(this.id))
      throw new MigrunError('E_SUPERVISED', `what a crash left of program ${this.id} is not cleared up yet`, {
        hint: 'try again',
      });
    await this.agent.start();
    await this.serve();
    this.arrivalTimer = setTimeout(() => void this.close(undefined), ARRIVAL_WAIT_MS);
  }

  /** Makes a program ours whose supervisor died. Throws E_SUPERVISED where it did not. */
  async succeed(): Promise<void> {
    await this.take();
    const record = this.records.program(this.id);
    if (record !== undefined) this.expected = { ...this.expected, ...record.identity, state: 'migrating' };
    await this.agent.start();
  }

  /** After that: finishes or undoes what that supervisor was doing. Resolves when the program runs as before, or is gone. */
  async recover(): Promise<void> {
    const recovered = await recover(this.id, { ...this.tools(), journal: this.journal, records: this.records });
    if (recovered === undefined) return this.close(undefined);
    this.console = recovered.console;
    const program = this.adopt(recovered.identity, recovered.pod, recovered.stdio);
    program.countConnections();
    this.remember(null);
    this.records.removeArrival(this.id);
    await this.serve();
    await this.tellAgent();
  }

  private tools(): MigrationTools {
    return { config: this.config, log: this.log, agent: this.agent };
  }

  private async take(): Promise<void> {
    this.hold = await Hold.take(this.id);
    native.processBecomeSubreaper();
  }

  private async serve(): Promise<void> {
    this.server = await listenLocal(this.socketPath, supervisorMessage, (channel) => this.serveChannel(channel));
  }

  private serveChannel(channel: Channel<SupervisorMessage>): void {
    const arrivals = new Arrivals(channel, this.tools(), this.journal, this.records, {
      arrived: (program) => this.receive(program),
      runs: (program, peersAreLate) => this.adoptArrived(program, peersAreLate),
      settled: () => this.settle(),
      failed: () => void this.close(undefined),
    });
    void serve(channel, (incoming) => this.handle(channel, incoming, arrivals), (data) => arrivals.take(data)).catch(
      (error: unknown) => this.log.warn({ err: error }, 'a channel broke'),
    );
  }

  private async handle(
    channel: Channel<SupervisorMessage>,
    incoming: IncomingMessage<SupervisorMessage>,
    arrivals: Arrivals,
  ): Promise<SupervisorMessage | void> {
    const { message } = incoming;
    if (this.program === undefined) {
      clearTimeout(this.arrivalTimer);
      return arrivals.handle(message);
    }
    if (await this.program.console.handle(channel, incoming)) return;
    switch (message.type) {
      case 'inspect':
        return { type: 'inspected', inspection: await inspect(this.program, this.agent) };
      case 'migrate':
        return { type: 'migrated', report: await this.migrate(message.to, message.port, channel) };
      case 'checkpoint':
        return { type: 'checkpointed', report: await this.checkpoint(message, channel) };
      default:
        throw new MigrunError('E_PROTOCOL', `${message.type} is not for a running program`);
    }
  }

  private adopt(identity: ProgramIdentity, pod: Pod, stdio: StdioState | undefined): Program {
    const program = new Program(identity, pod, stdio, this.log, (status) => void this.ended(status));
    this.program = program;
    program.onSockets = () => this.recounts.ask();
    return program;
  }

  /** A program that stands still is no place to look around in. */
  private recount(): void {
    if (this.program?.state !== 'running') return;
    this.program.countConnections();
    void this.tellAgent();
  }

  /** For whoever supervises it after us. */
  private remember(leaving: string | null): void {
    const { identity, pod } = this.program as Program;
    this.records.writeProgram({
      identity,
      cgroup: pod.cgroup,
      terminal: pod.stdio.kind !== 'pipes',
      console: this.console,
      leaving,
    });
  }

  /** An agent that died while it rebound a connection of the program has left all of it frozen. */
  private agentLost(): void {
    const { program } = this;
    if (program?.state === 'running' && isFrozen(program.cgroup)) letGo(program.cgroup, program.registry, this.log);
  }

  /** What `migrun ls` shows is the agent's to know; without an agent the program runs on all the same. */
  private async tellAgent(): Promise<void> {
    if (this.program === undefined) return;
    const { summary, cgroup } = this.program;
    await this.agent.ask({ type: 'update', program: summary, cgroup }).catch((error: unknown) =>
      this.log.debug({ err: error }, 'the agent was not told')
    );
  }

  private async tellOfChange(): Promise<void> {
    await this.tellAgent();
    this.recounts.ask();
  }

  private registration(): AgentMessage {
    const summary = this.program?.summary ?? this.expected;
    return { type: 'register', program: summary, cgroup: this.program?.cgroup ?? '', socket: this.socketPath };
  }

  // leaving

  private async migrate(to: string, port: number, channel: Channel<SupervisorMessage>): Promise<MigrationReport> {
    const context = new MigrationContext(this.runningProgram(), this.tools(), this.journal, { host: to, port });
    const phases = await this.depart(SOURCE_STEPS, context, 'moved', channel);
    const report = context.report(phases);
    this.log.info({ report }, 'moved');
    setImmediate(() => void this.leave((console) => console.moved(context.target?.address ?? to, port)));
    return report;
  }

  private async checkpoint(request: CheckpointRequest, channel: Channel<SupervisorMessage>): Promise<CheckpointReport> {
    const context = new CheckpointContext(this.runningProgram(), this.tools(), this.journal, request);
    const phases = await this.depart(
      checkpointSteps(request),
      context,
      request.leaveRunning ? 'running' : 'moved',
      channel,
    );
    const report = context.report(phases);
    this.log.info({ report }, 'checkpointed');
    if (!request.leaveRunning) setImmediate(() => void this.leave((console) => console.stopped(context.file)));
    return report;
  }

  private runningProgram(): Program {
    const program = this.program as Program;
    if (program.state !== 'running')
      throw new MigrunError('E_BUSY', `program ${this.id} is ${program.state}`, { hint: 'wait for it' });
    return program;
  }

  /** `endsAs`: moved, where nothing of it is here once the steps are done. */
  private async depart<Context extends SourceContext>(
    steps: readonly Step<Context>[],
    context: Context,
    endsAs: 'moved' | 'running',
    channel: Channel<SupervisorMessage>,
  ): Promise<Phase[]> {
    const program = this.program as Program;
    this.moving = true;
    program.state = 'migrating';
    this.remember(context.migration);
    const progress = new Progress((report) =>
      void channel.send({ type: 'progress', ...report }).catch(() => undefined)
    );
    let state: 'moved' | 'running' = 'running';
    try {
      await this.tellAgent();
      const phases = await runSteps(
        steps,
        context,
        (step, stepState, ms) => progress.tell({ step, state: stepState, ms }),
        this.log,
      );
      state = endsAs;
      return phases;
    } finally {
      program.state = state;
      this.moving = false;
      progress.flush();
      if (state === 'running') await this.stayed();
    }
  }

  private async stayed(): Promise<void> {
    this.remember(null);
    if (this.exitStatus !== undefined) void this.ended(this.exitStatus);
    await this.tellOfChange();
  }

  private async leave(tell: (console: Program['console']) => Promise<void>): Promise<void> {
    const program = this.program as Program;
    await tell(program.console);
    program.close();
    await this.close(undefined);
  }

  // arriving

  /** After the commit: the program is this supervisor's, and whoever follows it knows. */
  private receive({ arrival, state, pod: { cgroup, stdio } }: ArrivedProgram): void {
    this.console = 'elsewhere';
    this.records.writeProgram({
      identity: identityOf(arrival, state),
      cgroup,
      terminal: stdio.kind === 'terminal',
      console: this.console,
      leaving: null,
    });
  }

  private async adoptArrived({ arrival, state, pod }: ArrivedProgram, peersAreLate: boolean): Promise<void> {
    const program = this.adopt(identityOf(arrival, state), pod, state.console);
    program.connections = state.connections.length;
    if (peersAreLate) program.state = 'arriving';
    this.records.removeArrival(this.id);
    await this.tellOfChange();
  }

  private async settle(): Promise<void> {
    if (this.program?.state !== 'arriving') return;
    this.program.state = 'running';
    await this.tellOfChange();
  }

  // the end

  private async ended(status: number): Promise<void> {
    const program = this.program as Program;
    this.exitStatus = status;
    if (program.state === 'moved' || this.moving) return; // the copy that stayed was killed, or the migration will see to it
    program.state = 'ended';
    if (this.console !== 'lost') await within(program.console.exited(status), FAREWELL_MS);
    program.close();
    await this.close(status);
  }

  private async close(status: number | undefined): Promise<void> {
    clearTimeout(this.arrivalTimer);
    this.recounts.close();
    this.server?.close();
    rmSync(this.socketPath, { force: true });
    if (this.program !== undefined) await removeCgroup(this.program.cgroup);
    this.records.removeGone(this.id);
    this.agent.close();
    this.hold?.release();
    this.finish(status);
  }
}
