/**
 * How a program arrives. Its source sends one message for each step over one channel, in the order of TargetMigration's
 * methods. Where the channel ends before the commit, nothing of the program stays here; from the commit on the source
 * is not needed any more.
 */
import { MigrunError } from '../errors';
import { consoleOf } from '../kinds/console';
import { countConnections } from '../kinds/saved';
import { giveBack, renewClaim } from '../migration/arriving/claim';
import { TargetMigration } from '../migration/arriving/target';
import { tally } from '../migration/arriving/tell-peers';
import type { MovingState } from '../migration/state';
import { cgroupOf, type Pod } from '../program/pod';
import { arrivalName, type ProgramIdentity } from '../program/record';
import type { Channel } from '../protocol/channel/index';
import type { Arrival, ResumedPeer, SupervisorMessage } from '../protocol/control/index';
import type { Program, SupervisorTools } from './program';
import type { Registration } from './registration';
import type { StdioState } from './stdio';

const UNSUPERVISED = 'the program runs, but is not supervised';

/** What an arrival needs of the supervisor whose program it becomes. */
export interface ArrivalHome {
  /** The program is ours. Called before it runs, while it waits for its peers, so that whoever follows us knows. */
  arrived(identity: ProgramIdentity, pod: Pod): void;
  adopt(identity: ProgramIdentity, pod: Pod, stdio: StdioState): Program;
  /** Nothing came of it. */
  failed(): void;
}

export class Arrivals {
  private migration: TargetMigration | undefined;
  private arrival: Arrival | undefined;
  /** What is being asked, of this host or of a checkpoint's peers: whoever aborts waits for the answer. */
  private asking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly channel: Channel<SupervisorMessage>,
    private readonly tools: SupervisorTools,
    private readonly registration: Registration,
    private readonly home: ArrivalHome,
  ) {}

  async handle(message: SupervisorMessage): Promise<SupervisorMessage | undefined> {
    switch (message.type) {
      case 'arrive':
        return this.arrive(message);
      case 'images':
        this.current().expect(message.files, message.rehearsal);
        return undefined;
      case 'received':
        this.current().imagesReceived(message.sha256);
        return { type: 'done' };
      case 'restore':
        return { type: 'restored', locals: [...(await this.current().restore())] };
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
    // Written down before anything of it is here, so that whoever follows us knows what to remove.
    this.tools.records.writeArrival({
      program: { id, group, command, startedAt },
      migration: arrival.migration,
      cgroup: cgroupOf(arrivalName(id, arrival.migration)),
    });
    const migration = new TargetMigration(arrival.migration, this.tools, this.tools.journal);
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
    this.tools.journal.decide(arrival.migration, 'aborted');
    // What a judgement that is under way makes ready or claims must be there, to be removed or given back.
    await this.asking.catch(() => undefined);
    await migration.abort();
    await giveBack(arrival, this.tools);
    this.home.failed();
  }

  private async renew(): Promise<void> {
    if (this.arrival === undefined) return;
    const renewed = renewClaim(this.arrival, this.tools);
    this.asking = renewed;
    await renewed;
  }

  /** Goes on from the commit by itself: neither host needs the other now. Whatever fails, the program runs. */
  private async takeOver(): Promise<void> {
    const migration = this.current();
    const resumed = this.attempt('resuming failed', () => migration.resume());
    const { arrival, state, pod } = migration.arrived();
    const identity = identityOf(arrival, state);
    await this.attempt(UNSUPERVISED, () => this.home.arrived(identity, pod));
    await resumed;
    migration.thaw();
    // What else there is to do is done while it runs.
    await this.tell({ type: 'runs' });
    await migration.inherit();
    let program: Program | undefined;
    await this.attempt(UNSUPERVISED, () => {
      program = this.home.adopt(identity, pod, consoleOf(state.kinds).console);
      program.connections = countConnections(state.kinds);
      // While peers are late, it must not be moved on, nor be frozen for anything else.
      if (migration.hasLate) program.state = 'arriving';
      this.tools.records.removeArrival(identity.id);
      return this.registration.updateAll();
    });
    let peers: ResumedPeer[] = [];
    await this.attempt('a late peer was not resumed', async () => void (peers = await migration.resumeLate()));
    migration.finish();
    await this.attempt(UNSUPERVISED, () => this.settle(program));
    this.tools.log.info(tally(peers), 'resumed');
    await this.tell({ type: 'resumed', peers });
  }

  /** No peer is late any more. */
  private async settle(program: Program | undefined): Promise<void> {
    if (program?.state !== 'arriving') return;
    program.state = 'running';
    await this.registration.updateAll();
  }

  /** Tells the source, which needs it for its report only. */
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

function identityOf({ program: { id, group, command, startedAt } }: Arrival, { kinds }: MovingState): ProgramIdentity {
  return { id, group, command, startedAt, token: consoleOf(kinds).console.token };
}
