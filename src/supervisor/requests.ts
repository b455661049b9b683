/** Requests of the command line about a program that runs: to look at it, to move it, to make a checkpoint. */

import { checkpointSteps } from '../checkpoint/checkpoint';
import { Checkpoint, type CheckpointRequest } from '../checkpoint/context';
import { MigrunError } from '../errors';
import { look, peersOf, refuse } from '../kinds/look';
import type { AgentLink, MovingProgram } from '../kinds/program';
import { type Phase, runSteps, type Step } from '../migration/driver';
import type { Departure } from '../migration/leaving/departure';
import { Migration, MIGRATION_STEPS } from '../migration/leaving/migrate';
import type { Channel } from '../protocol/channel/index';
import { type CheckpointReport, expectType, type Inspection, type MigrationReport,
  type SupervisorMessage } from '../protocol/control/index';
import { agentTimeout, INSPECT_DEADLINE_MS, PROGRESS_INTERVAL_MS } from '../times';
import { type Connection, connectionName } from '../vocabulary/endpoint';
import { isTcp, isUdp, tcpStateName } from '../vocabulary/sockets';
import type { Farewell } from './console';
import type { Program, SupervisorTools } from './program';
import type { Registration } from './registration';

/** What a program that leaves needs of its supervisor. */
export interface RequestHome {
  /** Writes down by which migration the program is leaving; null: it is not. */
  remember(leaving: string | null): void;
  /** The program is not leaving any more; it may have ended meanwhile. */
  stayed(): Promise<void>;
  /** Nothing of the program is here any more. */
  left(farewell: Farewell): Promise<void>;
}

export class Requests {
  constructor(
    private readonly channel: Channel<SupervisorMessage>,
    private readonly tools: SupervisorTools,
    private readonly registration: Registration,
    private readonly home: RequestHome,
  ) {}

  /** Gives the answer. Throws E_BUSY where the program is moving or has ended. */
  async handle(message: SupervisorMessage, program: Program): Promise<SupervisorMessage> {
    switch (message.type) {
      case 'inspect':
        return { type: 'inspected', inspection: await inspect(program, this.tools.agent) };
      case 'migrate':
        return { type: 'migrated', report: await this.migrate(running(program), message.to, message.port) };
      case 'checkpoint':
        return { type: 'checkpointed', report: await this.checkpoint(running(program), message) };
      default:
        throw new MigrunError('E_PROTOCOL', `${message.type} is not for a running program`);
    }
  }

  private async migrate(program: Program, to: string, port: number): Promise<MigrationReport> {
    const context = new Migration(program, this.tools, this.tools.journal, { host: to, port });
    const report = context.report(await this.run(program, MIGRATION_STEPS, context, 'moved'));
    this.tools.log.info({ report }, 'moved');
    this.leave({ type: 'moved', host: context.target.address, port });
    return report;
  }

  private async checkpoint(program: Program, request: CheckpointRequest): Promise<CheckpointReport> {
    const context = new Checkpoint(program, this.tools, this.tools.journal, request);
    const endsAs = request.leaveRunning ? 'running' : 'moved';
    const report = context.report(await this.run(program, checkpointSteps(request), context, endsAs));
    this.tools.log.info({ report }, 'checkpointed');
    if (!request.leaveRunning) this.leave({ type: 'stopped', file: context.file });
    return report;
  }

  /** Gives how long each step took. `endsAs`: moved, where nothing of the program is here once the steps are done. */
  private async run<Moving extends Departure>(
    program: Program,
    steps: readonly Step<Moving>[],
    context: Moving,
    endsAs: 'moved' | 'running',
  ): Promise<Phase[]> {
    program.state = 'migrating';
    this.home.remember(context.migration);
    const progress = new Progress((report) =>
      void this.channel.send({ type: 'progress', ...report }).catch(() => undefined)
    );
    const tell = (step: string, state: 'started' | 'done' | 'undone', ms: number): void =>
      progress.tell({ step, state, ms });
    let state: 'moved' | 'running' = 'running';
    try {
      await this.registration.update();
      const phases = await runSteps(steps, context, tell, this.tools.log);
      state = endsAs;
      return phases;
    } finally {
      program.state = state;
      progress.flush();
      if (state === 'running') await this.home.stayed();
    }
  }

  /** Done when the report is on its way. */
  private leave(farewell: Farewell): void {
    setImmediate(() => void this.home.left(farewell));
  }
}

function running(program: Program): Program {
  if (program.state === 'running') return program;
  throw new MigrunError('E_BUSY', `program ${program.identity.id} is ${program.state}`, { hint: 'wait for it' });
}

/** What `migrun inspect` shows: the program's processes, descriptors and sockets, and who of its peers can follow. */
async function inspect(program: MovingProgram, agent: AgentLink): Promise<Inspection> {
  const facts = look(program);
  const peers = await peerStatuses(program, peersOf(facts), agent);
  return {
    program: program.summary,
    processes: facts.processes.map(({ pid, innerPid, name, executable, descriptors }) => ({
      pid,
      innerPid,
      name,
      executable,
      descriptors: descriptors.map(({ fd, target }) => ({ fd, target })),
    })),
    sockets: facts.sockets.map((socket) => ({
      innerPid: socket.innerPid,
      fd: socket.pfd,
      kind: isTcp(socket) ? 'tcp' : isUdp(socket) ? 'udp' : 'other',
      state: isTcp(socket) ? tcpStateName(socket.state) : isUdp(socket) ? 'UDP' : '',
      local: socket.local,
      remote: socket.remote,
      peer: peers.get(connectionName({ ...socket, udp: isUdp(socket) })) ?? '',
    })),
    reasons: refuse(facts),
  };
}

async function peerStatuses(
  program: MovingProgram,
  connections: Connection[],
  agent: AgentLink,
): Promise<Map<string, string>> {
  if (connections.length === 0) return new Map();
  const answer = await agent.ask({
    type: 'introduce',
    group: program.identity.group,
    connections,
    deadlineMs: INSPECT_DEADLINE_MS,
  }, agentTimeout(connections));
  const { peers } = expectType(answer, 'introduced');
  return new Map(peers.map(({ connection, status }) => [connectionName(connection), status]));
}

export type StepReport = Omit<Extract<SupervisorMessage, { type: 'progress' }>, 'type'>;

/**
 * What the steps of a migration report, on its way to whoever asked for the migration. Reports are sent in batches:
 * each message wakes another process, which costs time while the program stands still, and a small program runs again
 * before a person could read one.
 */
export class Progress {
  private readonly unsent: StepReport[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (report: StepReport) => void) {}

  tell(report: StepReport): void {
    this.unsent.push(report);
    this.timer ??= setTimeout(() => this.flush(), PROGRESS_INTERVAL_MS);
  }

  /** Sends all that is left, so that it comes before the answer that ends the matter. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const report of this.unsent.splice(0)) this.send(report);
  }
}
