/**
 * One program's life on this host: it was started here, has arrived, or was left behind by a supervisor that died; it is
 * looked at, is moved away, or ends.
 *
 * It serves a UNIX socket, <runDir>/programs/<id>.sock, for the command line, for consoles, and for the source of a
 * program that arrives.
 */
import type { Server } from 'node:net';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { runSteps } from '../migration/driver';
import { Journal } from '../migration/journal';
import { SOURCE_STEPS } from '../migration/source';
import { SourceContext } from '../migration/source-context';
import { native } from '../native/index';
import { Hold } from '../program/hold';
import { cgroupOf, createPod, removeCgroup, type Pod } from '../program/pod';
import { Records, type ProgramIdentity, type ProgramRecord } from '../program/record';
import type { Channel, IncomingMessage } from '../protocol/channel/index';
import { listenLocal, serve, supervisorMessage, type AgentMessage, type Arrival, type MigrationReport, type ProgramSummary, type SupervisorMessage } from '../protocol/control/index';
import type { MovingState } from '../migration/state';
import type { ArrivedProgram } from '../migration/target';
import { AgentLine } from './agent-link';
import { Arrivals } from './arrivals';
import { inspect } from './inspect';
import { isFrozen, letGo } from './let-go';
import { Program } from './program';
import { Progress } from './progress';
import { recover } from './recover';
import { Seldom } from './seldom';
import { freshStdioState, type StdioState } from './stdio-state';

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
    this.expected = { id, group: '0'.repeat(32), command: [], pid: process.pid, state: 'arriving', connections: 0, startedAt: Date.now() };
    this.agent = new AgentLine(config.agentSocket, () => this.registration(), log);
    this.agent.onLost = () => this.agentLost();
    this.done = new Promise((resolve) => (this.finish = resolve));
  }

  /** Starts a program here. */
  async start(command: readonly string[], terminal: { rows: number; columns: number } | undefined): Promise<ProgramIdentity> {
    await this.take();
    const identity = { id: this.id, group: randomBytes(16).toString('hex'), command: [...command], startedAt: Date.now(), token: randomBytes(16).toString('hex') };
    this.records.writeProgram({ identity, cgroup: cgroupOf(this.id), terminal: terminal !== undefined, console: this.console, leaving: null });
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
    if (this.records.has(this.id)) throw new MigrunError('E_SUPERVISED', `what a crash left of program ${this.id} is not cleared up yet`, { hint: 'try again' });
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
    const recovered = await recover(this.id, { config: this.config, log: this.log, agent: this.agent, journal: this.journal, records: this.records });
    if (recovered === undefined) return this.close(undefined);
    this.console = recovered.console;
    const program = this.adopt(recovered.identity, recovered.pod, recovered.stdio);
    program.countConnections();
    this.remember(null);
    this.records.removeArrival(this.id);
    await this.serve();
    await this.tellAgent();
  }

  private async take(): Promise<void> {
    this.hold = await Hold.take(this.id);
    native.becomeSubreaper();
  }

  private async serve(): Promise<void> {
    this.server = await listenLocal(this.socketPath, supervisorMessage, (channel) => this.serveChannel(channel));
  }

  private serveChannel(channel: Channel<SupervisorMessage>): void {
    const arrivals = new Arrivals(channel, { config: this.config, log: this.log, agent: this.agent }, this.journal, this.records, {
      arrived: (program) => this.receive(program),
      runs: (program, peersAreLate) => this.adoptArrived(program, peersAreLate),
      settled: () => this.settle(),
      failed: () => void this.close(undefined),
    });
    void serve(channel, (incoming) => this.handle(channel, incoming, arrivals), (data) => arrivals.take(data)).catch((error: unknown) => this.log.warn({ err: error }, 'a channel broke'));
  }

  private async handle(channel: Channel<SupervisorMessage>, incoming: IncomingMessage<SupervisorMessage>, arrivals: Arrivals): Promise<SupervisorMessage | void> {
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
    this.records.writeProgram({ identity, cgroup: pod.cgroup, terminal: pod.stdio.kind !== 'pipes', console: this.console, leaving });
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
    await this.agent.ask({ type: 'update', program: summary, cgroup }).catch((error: unknown) => this.log.debug({ err: error }, 'the agent was not told'));
  }

  private registration(): AgentMessage {
    const summary = this.program?.summary ?? this.expected;
    return { type: 'register', program: summary, cgroup: this.program?.cgroup ?? '', socket: this.socketPath };
  }

  // leaving

  private async migrate(to: string, port: number, channel: Channel<SupervisorMessage>): Promise<MigrationReport> {
    const program = this.program as Program;
    if (program.state !== 'running') throw new MigrunError('E_BUSY', `program ${this.id} is ${program.state}`, { hint: 'wait for it' });
    this.moving = true;
    program.state = 'migrating';
    const context = new SourceContext(program, { config: this.config, log: this.log, agent: this.agent }, this.journal, { host: to, port });
    this.remember(context.migration);
    const progress = new Progress((report) => void channel.send({ type: 'progress', ...report }).catch(() => undefined));
    try {
      await this.tellAgent();
      const startedAt = performance.now();
      const phases = await runSteps(SOURCE_STEPS, context, (step, state, ms) => progress.tell({ step, state, ms }), this.log);
      const report = { migration: context.migration, program: this.id, target: to, phases, connections: context.saved.length, bytes: context.bytes, frozenMs: (context.runsAt ?? performance.now()) - context.frozenAt, lost: context.lost };
      this.log.info({ report, totalMs: performance.now() - startedAt }, 'moved');
      program.state = 'moved';
      setImmediate(() => void this.leave(context.target?.address ?? to, port));
      return report;
    } catch (error) {
      program.state = 'running';
      this.moving = false;
      this.remember(null);
      if (this.exitStatus !== undefined) void this.ended(this.exitStatus);
      await this.tellAgent();
      this.recounts.ask();
      throw error;
    } finally {
      this.moving = false;
      progress.flush();
    }
  }

  private async leave(host: string, port: number): Promise<void> {
    const program = this.program as Program;
    await program.console.moved(host, port);
    program.close();
    await this.close(undefined);
  }

  // arriving

  /** After the commit: the program is this supervisor's, and whoever follows it knows. */
  private receive({ arrival, state, pod: { cgroup, stdio } }: ArrivedProgram): void {
    this.console = 'elsewhere';
    this.records.writeProgram({ identity: arrivedIdentity(arrival, state), cgroup, terminal: stdio.kind === 'terminal', console: this.console, leaving: null });
  }

  private async adoptArrived({ arrival, state, pod }: ArrivedProgram, peersAreLate: boolean): Promise<void> {
    const program = this.adopt(arrivedIdentity(arrival, state), pod, state.console);
    program.connections = state.connections.length;
    if (peersAreLate) program.state = 'arriving';
    this.records.removeArrival(this.id);
    await this.tellAgent();
    this.recounts.ask();
  }

  private async settle(): Promise<void> {
    if (this.program?.state !== 'arriving') return;
    this.program.state = 'running';
    await this.tellAgent();
    this.recounts.ask();
  }

  // the end

  private async ended(status: number): Promise<void> {
    const program = this.program as Program;
    this.exitStatus = status;
    if (program.state === 'moved' || this.moving) return; // the copy that stayed was killed, or the migration will see to it
    program.state = 'ended';
    if (this.console !== 'lost') await this.farewell(program, status);
    program.close();
    await this.close(status);
  }

  private async farewell(program: Program, status: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FAREWELL_MS)));
    await Promise.race([program.console.exited(status), late]);
    clearTimeout(timer);
  }

  private async close(status: number | undefined): Promise<void> {
    clearTimeout(this.arrivalTimer);
    this.recounts.close();
    this.server?.close();
    rmSync(this.socketPath, { force: true });
    if (this.program !== undefined) await removeCgroup(this.program.cgroup);
    this.forget();
    this.agent.close();
    this.hold?.release();
    this.finish(status);
  }

  /** A record whose cgroup could not be removed stays: once we have let go, the agent has somebody see to it. */
  private forget(): void {
    const isGone = (record: { cgroup: string } | undefined): boolean => record !== undefined && !existsSync(record.cgroup);
    if (isGone(this.records.program(this.id))) this.records.removeProgram(this.id);
    if (isGone(this.records.arrival(this.id))) this.records.removeArrival(this.id);
  }
}

function arrivedIdentity({ program: { id, group, command, startedAt } }: Arrival, { console: { token } }: MovingState): ProgramIdentity {
  return { id, group, command, startedAt, token };
}
