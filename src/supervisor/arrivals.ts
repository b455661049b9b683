/** The messages of a source, one channel, given to a TargetMigration in their order; its end before the commit aborts. */
import { MigrunError } from '../errors';
import { giveBack, renewClaim } from '../migration/holding';
import type { MigrationTools } from '../migration/program';
import type { MovingState } from '../migration/state';
import { type ArrivedProgram, TargetMigration } from '../migration/target';
import { tally } from '../migration/tell-peers';
import type { Journal } from '../program/journal';
import { cgroupOf } from '../program/pod';
import { arrivalName, type ProgramIdentity, type Records } from '../program/record';
import type { Channel } from '../protocol/channel/index';
import type { Arrival, ResumedPeer, SupervisorMessage } from '../protocol/control/index';

const UNSUPERVISED = 'the program runs, but is not supervised';

export interface ArrivalEvents {
  /** The program is ours from here on; called before it runs, while it waits for its peers. */
  arrived(program: ArrivedProgram): void;
  /** It runs. Where peers are late, it must not be moved on, nor be frozen for anything else, before it has settled. */
  runs(program: ArrivedProgram, peersAreLate: boolean): Promise<void>;
  settled(): Promise<void>;
  /** Nothing came of it. */
  failed(): void;
}

export class Arrivals {
  private migration: TargetMigration | undefined;
  private arrival: Arrival | undefined;
  /** What a restore asks of its peers now. */
  private asking: Promise<unknown> = Promise.resolve();

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
        await this.renew();
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
    this.records.writeArrival({
      program: { id, group, command, startedAt },
      migration: arrival.migration,
      cgroup: cgroupOf(arrivalName(id, arrival.migration)),
    });
    const migration = new TargetMigration(arrival.migration, this.tools, this.journal);
    this.migration = migration;
    this.arrival = arrival;
    const judged = migration.judge(arrival);
    this.asking = judged;
    void this.channel.closed.then(() => this.sourceLost(migration, arrival));
    return { type: 'judged', reasons: await judged };
  }

  private async sourceLost(migration: TargetMigration, arrival: Arrival): Promise<void> {
    if (migration.committed) return;
    // Written down first: a commit that was received and is not yet read must not be one any more.
    this.journal.decide(arrival.migration, 'aborted');
    // What it makes ready is there to be removed then, and what it claims to be given back.
    await this.asking.catch(() => undefined);
    await migration.abort();
    await giveBack(arrival, this.tools);
    this.events.failed();
  }

  private async renew(): Promise<void> {
    if (this.arrival === undefined) return;
    const renewed = renewClaim(this.arrival, this.tools);
    this.asking = renewed;
    await renewed;
  }

  /** Not asked for by the source: from the commit on neither host needs the other. Whatever fails, the program runs. */
  private async takeOver(): Promise<void> {
    const migration = this.current();
    const resumed = this.attempt('resuming failed', () => migration.resume());
    const program = migration.arrived();
    await this.attempt(UNSUPERVISED, () => this.events.arrived(program));
    await resumed;
    migration.thaw();
    // What else there is to do is done while it runs.
    await this.tell({ type: 'runs' });
    await migration.inherit();
    await this.attempt(UNSUPERVISED, () => this.events.runs(program, migration.hasLate));
    let peers: ResumedPeer[] = [];
    await this.attempt('a late peer was not resumed', async () => void (peers = await migration.resumeLate()));
    migration.finish();
    await this.attempt(UNSUPERVISED, () => this.events.settled());
    this.tools.log.info(tally(peers), 'resumed');
    await this.tell({ type: 'resumed', peers });
  }

  /** For its report only. */
  private async tell(message: SupervisorMessage): Promise<void> {
    await this.channel.send(message).catch(() => undefined);
  }

  private async attempt(failure: string, step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.tools.log.error({ err: error }, failure);
    }
  }

  private current(): TargetMigration {
    if (this.migration === undefined) throw new MigrunError('E_PROTOCOL', 'nothing arrives');
    return this.migration;
  }
}

export function identityOf(
  { program: { id, group, command, startedAt } }: Arrival,
  { console: { token } }: MovingState,
): ProgramIdentity {
  return { id, group, command, startedAt, token };
}
