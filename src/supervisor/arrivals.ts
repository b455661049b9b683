/** The messages of a source, one channel, given to a TargetMigration in their order; its end before the commit aborts. */
import { MigrunError } from '../errors';
import type { Journal } from '../migration/journal';
import type { MigrationTools } from '../migration/program';
import { TargetMigration, type ArrivedProgram } from '../migration/target';
import { cgroupOf } from '../program/pod';
import { arrivalName, type Records } from '../program/record';
import type { Channel } from '../protocol/channel/index';
import type { ResumedPeer, SupervisorMessage } from '../protocol/control/index';

export interface ArrivalEvents {
  /** The program is ours from here on; called before it runs, while it waits for its peers. */
  arrived(program: ArrivedProgram): void;
  /** It runs. */
  runs(program: ArrivedProgram): Promise<void>;
  /** Nothing came of it. */
  failed(): void;
}

export class Arrivals {
  private migration: TargetMigration | undefined;

  constructor(
    private readonly channel: Channel<SupervisorMessage>,
    private readonly tools: MigrationTools,
    private readonly journal: Journal,
    private readonly records: Records,
    private readonly events: ArrivalEvents,
  ) {}

  async handle(message: SupervisorMessage): Promise<SupervisorMessage | undefined> {
    switch (message.type) {
      case 'arrive':
        return this.arrive(message);
      case 'images':
        this.current().expect(message.files, message.rehearsal);
        return undefined;
      case 'received':
        this.current().received(message.sha256);
        return { type: 'done' };
      case 'restore':
        return { type: 'restored', locals: await this.current().restore() };
      case 'commit':
        this.current().commit();
        void this.takeOver();
        return { type: 'done' };
      default:
        throw new MigrunError('E_PROTOCOL', `${message.type} is not for a program that arrives`);
    }
  }

  take(data: Buffer): void {
    this.current().take(data);
  }

  private async arrive({ arrival }: Extract<SupervisorMessage, { type: 'arrive' }>): Promise<SupervisorMessage> {
    if (this.migration !== undefined) throw new MigrunError('E_PROTOCOL', 'a program is arriving already');
    const { id, group, command, startedAt } = arrival.program;
    // Before anything of it is here: whoever follows us knows what to remove.
    this.records.writeArrival({ program: { id, group, command, startedAt }, migration: arrival.migration, cgroup: cgroupOf(arrivalName(id, arrival.migration)) });
    const migration = new TargetMigration(arrival.migration, this.tools, this.journal);
    this.migration = migration;
    void this.channel.closed.then(() => this.sourceLost(migration, arrival.migration));
    return { type: 'judged', reasons: await migration.judge(arrival) };
  }

  private async sourceLost(migration: TargetMigration, id: string): Promise<void> {
    if (migration.committed) return;
    // Written down first: a commit that was received and is not yet read must not be one any more.
    this.journal.decide(id, 'aborted');
    await migration.abort();
    this.events.failed();
  }

  /** Not asked for by the source: from the commit on neither host needs the other. Whatever fails, the program runs. */
  private async takeOver(): Promise<void> {
    const migration = this.current();
    const resumed = migration.resume().catch((error: unknown): ResumedPeer[] => {
      this.tools.log.error({ err: error }, 'resuming failed');
      return [];
    });
    const program = migration.arrived();
    await this.attempt(() => this.events.arrived(program));
    const peers = await resumed;
    migration.thaw();
    // What else there is to do is done while it runs.
    await migration.inherit();
    await this.attempt(() => this.events.runs(program));
    migration.finish();
    this.tools.log.info({ peers }, 'resumed');
    await this.channel.send({ type: 'resumed', peers }).catch(() => undefined);
  }

  private async attempt(step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.tools.log.error({ err: error }, 'the program runs, but is not supervised');
    }
  }

  private current(): TargetMigration {
    if (this.migration === undefined) throw new MigrunError('E_PROTOCOL', 'nothing arrives');
    return this.migration;
  }
}
