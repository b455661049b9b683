/**
 * One program's life on this host: it was started here, has arrived, or was left behind by a supervisor that died; it
 * is looked at, leaves, or ends.
 *
 * A supervisor serves a UNIX socket, <runDir>/programs/<id>.sock, for the command line, for consoles, and for the
 * source of a program that arrives. Until its program is here, messages go to arrivals.ts; from then on they go to
 * console.ts or to requests.ts.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, socketOf } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { native } from '../native/index';
import { Journal } from '../program/journal';
import { cgroupOf, createPod, type Pod, removeCgroup } from '../program/pod';
import { type ProgramIdentity, type ProgramRecord, Records } from '../program/record';
import { Supervision } from '../program/supervision';
import type { Channel, IncomingMessage } from '../protocol/channel/index';
import { listenLocal, serve, type SupervisorMessage, supervisorMessage } from '../protocol/control/index';
import { ARRIVAL_TIMEOUT_MS, FAREWELL_TIMEOUT_MS } from '../times';
import { type ArrivalHome, Arrivals } from './arrivals';
import type { Farewell } from './console';
import { Program, type SupervisorTools } from './program';
import { recover } from './recover';
import { Registration } from './registration';
import { type RequestHome, Requests } from './requests';
import { freshStdioState, type StdioState } from './stdio';

export class Supervisor implements ArrivalHome, RequestHome {
  readonly socketPath: string;
  /** Resolves when there is nothing left to supervise here: with the program's exit status, or undefined: it moved. */
  readonly done: Promise<number | undefined>;
  private finish!: (status: number | undefined) => void;
  private server: Server | undefined;
  private program: Program | undefined;
  private exitStatus: number | undefined;
  private supervision: Supervision | undefined;
  private console: ProgramRecord['console'] = 'here';
  private arrivalTimer: NodeJS.Timeout | undefined;
  private readonly registration: Registration;
  private readonly tools: SupervisorTools;

  constructor(readonly id: string, private readonly config: Config, private readonly log: Logger) {
    this.socketPath = socketOf(config, id);
    this.registration = new Registration(id, config, log);
    this.tools = {
      config,
      log,
      agent: this.registration.agent,
      journal: new Journal(config.journalDir),
      records: new Records(config.programsDir),
    };
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
    this.write(identity, cgroupOf(this.id), terminal !== undefined, null);
    try {
      const pod = await createPod(this.config, { id: this.id, command, terminal });
      this.adopt(identity, pod, freshStdioState());
    } catch (error) {
      await this.close(undefined);
      throw error;
    }
    await this.serve();
    await this.registration.agent.start();
    return identity;
  }

  /** Waits for a program to arrive. */
  async awaitArrival(): Promise<void> {
    await this.take();
    if (this.tools.records.has(this.id))
      throw new MigrunError('E_SUPERVISED', `what a crash left of program ${this.id} is not cleared up yet`, {
        hint: 'try again',
      });
    await this.registration.agent.start();
    await this.serve();
    this.arrivalTimer = setTimeout(() => void this.close(undefined), ARRIVAL_TIMEOUT_MS);
  }

  /** Takes over a program whose supervisor died. Throws E_SUPERVISED where that one lives. */
  async succeed(): Promise<void> {
    await this.take();
    const record = this.tools.records.program(this.id);
    if (record !== undefined) this.registration.expectRecovery(record.identity);
    await this.registration.agent.start();
  }

  /** To be called after `succeed`. Resolves when the program runs as before its supervisor died, or is gone. */
  async recover(): Promise<void> {
    const recovered = await recover(this.id, this.tools);
    if (recovered === undefined) return this.close(undefined);
    this.console = recovered.console;
    const program = this.adopt(recovered.identity, recovered.pod, recovered.stdio);
    program.countConnections();
    this.remember(null);
    this.tools.records.removeArrival(this.id);
    await this.serve();
    await this.registration.update();
  }

  private async take(): Promise<void> {
    this.supervision = await Supervision.take(this.id);
    native.processBecomeSubreaper();
  }

  private async serve(): Promise<void> {
    this.server = await listenLocal(this.socketPath, supervisorMessage, (channel) => this.serveChannel(channel));
  }

  private serveChannel(channel: Channel<SupervisorMessage>): void {
    const arrivals = new Arrivals(channel, this.tools, this.registration, this);
    const requests = new Requests(channel, this.tools, this.registration, this);
    const handle = async (incoming: IncomingMessage<SupervisorMessage>): Promise<SupervisorMessage | void> => {
      if (this.program === undefined) {
        clearTimeout(this.arrivalTimer);
        return arrivals.handle(incoming.message);
      }
      const { program } = this;
      if (!(await program.console.handle(channel, incoming))) return requests.handle(incoming.message, program);
    };
    void serve(channel, handle, (data) => arrivals.take(data)).catch((error: unknown) =>
      this.log.warn({ err: error }, 'a channel broke')
    );
  }

  adopt(identity: ProgramIdentity, pod: Pod, stdio: StdioState | undefined): Program {
    const program = new Program(identity, pod, stdio, this.log, (status) => void this.ended(status));
    this.program = program;
    this.registration.follow(program);
    return program;
  }

  /** Writes down what whoever supervises the program next must know. */
  private write(identity: ProgramIdentity, cgroup: string, terminal: boolean, leaving: string | null): void {
    this.tools.records.writeProgram({ identity, cgroup, terminal, console: this.console, leaving });
  }

  // as the home of a program that arrives or leaves

  arrived(identity: ProgramIdentity, { cgroup, stdio }: Pod): void {
    this.console = 'elsewhere';
    this.write(identity, cgroup, stdio.kind === 'terminal', null);
  }

  failed(): void {
    void this.close(undefined);
  }

  remember(leaving: string | null): void {
    const { identity, pod } = this.program as Program;
    this.write(identity, pod.cgroup, pod.stdio.kind !== 'pipes', leaving);
  }

  async stayed(): Promise<void> {
    this.remember(null);
    if (this.exitStatus !== undefined) void this.ended(this.exitStatus);
    await this.registration.updateAll();
  }

  async left(farewell: Farewell): Promise<void> {
    const program = this.program as Program;
    await program.console.left(farewell);
    program.close();
    await this.close(undefined);
  }

  // the end

  private async ended(status: number): Promise<void> {
    const program = this.program as Program;
    this.exitStatus = status;
    // Either the copy that stayed behind was killed, or `stayed` sees to it when the program does not leave.
    if (program.state === 'moved' || program.state === 'migrating') return;
    program.state = 'ended';
    if (this.console !== 'lost')
      await Promise.race([program.console.exited(status), sleep(FAREWELL_TIMEOUT_MS, undefined, { ref: false })]);
    program.close();
    await this.close(status);
  }

  private async close(status: number | undefined): Promise<void> {
    clearTimeout(this.arrivalTimer);
    this.server?.close();
    rmSync(this.socketPath, { force: true });
    if (this.program !== undefined) await removeCgroup(this.program.cgroup);
    this.tools.records.removeGone(this.id);
    this.registration.close();
    this.supervision?.release();
    this.finish(status);
  }
}
