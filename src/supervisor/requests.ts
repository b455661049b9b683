/**
 * What the command line asks of a supervisor whose program runs: to look at the program, to move it to another host, or
 * to make a checkpoint of it. Whoever asks for a move or a checkpoint is told of each step.
 */
import { checkpointSteps } from '../checkpoint/checkpoint';
import { CheckpointContext, type CheckpointRequest } from '../checkpoint/context';
import { MigrunError } from '../errors';
import { type Phase, runSteps, type Step } from '../migration/driver';
import { MigrationContext } from '../migration/migration-context';
import { SOURCE_STEPS } from '../migration/source';
import type { SourceContext } from '../migration/source-context';
import type { Channel } from '../protocol/channel/index';
import type { CheckpointReport, MigrationReport, SupervisorMessage } from '../protocol/control/index';
import { inspect } from './inspect';
import type { Program, SupervisorTools } from './program';
import { Progress } from './progress';

/** What a program that leaves needs of its supervisor. */
export interface RequestHome {
  /** Writes down by which migration the program is leaving; null: it is not. */
  remember(leaving: string | null): void;
  /** Tells the agent what the program is now. */
  update(): Promise<void>;
  /** The program is not leaving any more; it may have ended meanwhile. */
  stayed(): Promise<void>;
  /** Nothing of the program is here any more. `tell` tells its console where it is. */
  left(tell: (console: Program['console']) => Promise<void>): Promise<void>;
}

export class Requests {
  constructor(
    private readonly channel: Channel<SupervisorMessage>,
    private readonly tools: SupervisorTools,
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
    const context = new MigrationContext(program, this.tools, this.tools.journal, { host: to, port });
    const report = context.report(await this.run(program, SOURCE_STEPS, context, 'moved'));
    this.tools.log.info({ report }, 'moved');
    this.leave((console) => console.moved(context.target?.address ?? to, port));
    return report;
  }

  private async checkpoint(program: Program, request: CheckpointRequest): Promise<CheckpointReport> {
    const context = new CheckpointContext(program, this.tools, this.tools.journal, request);
    const endsAs = request.leaveRunning ? 'running' : 'moved';
    const report = context.report(await this.run(program, checkpointSteps(request), context, endsAs));
    this.tools.log.info({ report }, 'checkpointed');
    if (!request.leaveRunning) this.leave((console) => console.stopped(context.file));
    return report;
  }

  /** Gives how long each step took. `endsAs`: moved, where nothing of the program is here once the steps are done. */
  private async run<Context extends SourceContext>(
    program: Program,
    steps: readonly Step<Context>[],
    context: Context,
    endsAs: 'moved' | 'running',
  ): Promise<Phase[]> {
    const { home } = this;
    program.state = 'migrating';
    home.remember(context.migration);
    const progress = new Progress((report) =>
      void this.channel.send({ type: 'progress', ...report }).catch(() => undefined)
    );
    const tell = (step: string, state: 'started' | 'done' | 'undone', ms: number): void =>
      progress.tell({ step, state, ms });
    let state: 'moved' | 'running' = 'running';
    try {
      await home.update();
      const phases = await runSteps(steps, context, tell, this.tools.log);
      state = endsAs;
      return phases;
    } finally {
      program.state = state;
      progress.flush();
      if (state === 'running') await home.stayed();
    }
  }

  /** Once the report is on its way. */
  private leave(tell: (console: Program['console']) => Promise<void>): void {
    setImmediate(() => void this.home.left(tell));
  }
}

function running(program: Program): Program {
  if (program.state === 'running') return program;
  throw new MigrunError('E_BUSY', `program ${program.identity.id} is ${program.state}`, { hint: 'wait for it' });
}
