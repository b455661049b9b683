/** How a program leaves this host, for another one or for a file; whoever asked for it is told of each step. */
import { checkpointSteps } from '../checkpoint/checkpoint';
import { CheckpointContext, type CheckpointRequest } from '../checkpoint/context';
import { MigrunError } from '../errors';
import { type Phase, runSteps, type Step } from '../migration/driver';
import { MigrationContext } from '../migration/migration-context';
import { SOURCE_STEPS } from '../migration/source';
import type { SourceContext } from '../migration/source-context';
import type { Channel } from '../protocol/channel/index';
import type { CheckpointReport, MigrationReport, SupervisorMessage } from '../protocol/control/index';
import type { Program, SupervisorTools } from './program';
import { Progress } from './progress';

/** What a departure needs of the program's supervisor. */
export interface DepartureHome {
  /** Writes down by which migration the program is leaving; null: it is not. */
  remember(leaving: string | null): void;
  /** Tells the agent what the program is now. */
  update(): Promise<void>;
  /** The program is not leaving any more; it may have ended meanwhile. */
  stayed(): Promise<void>;
  /** Nothing of the program is here any more. `tell` tells its console where it is. */
  left(tell: (console: Program['console']) => Promise<void>): Promise<void>;
}

export class Departure {
  /** Throws E_BUSY where the program is not just running. */
  constructor(
    private readonly program: Program,
    private readonly channel: Channel<SupervisorMessage>,
    private readonly tools: SupervisorTools,
    private readonly home: DepartureHome,
  ) {
    if (program.state !== 'running')
      throw new MigrunError('E_BUSY', `program ${program.identity.id} is ${program.state}`, { hint: 'wait for it' });
  }

  async migrate(to: string, port: number): Promise<MigrationReport> {
    const context = new MigrationContext(this.program, this.tools, this.tools.journal, { host: to, port });
    const report = context.report(await this.run(SOURCE_STEPS, context, 'moved'));
    this.tools.log.info({ report }, 'moved');
    this.leave((console) => console.moved(context.target?.address ?? to, port));
    return report;
  }

  async checkpoint(request: CheckpointRequest): Promise<CheckpointReport> {
    const context = new CheckpointContext(this.program, this.tools, this.tools.journal, request);
    const endsAs = request.leaveRunning ? 'running' : 'moved';
    const report = context.report(await this.run(checkpointSteps(request), context, endsAs));
    this.tools.log.info({ report }, 'checkpointed');
    if (!request.leaveRunning) this.leave((console) => console.stopped(context.file));
    return report;
  }

  /** Gives how long each step took. `endsAs`: moved, where nothing of the program is here once the steps are done. */
  private async run<Context extends SourceContext>(
    steps: readonly Step<Context>[],
    context: Context,
    endsAs: 'moved' | 'running',
  ): Promise<Phase[]> {
    const { program, home } = this;
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
