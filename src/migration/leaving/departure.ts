/**
 * A program on its way out of this host, for another host or into a file: what the steps of both share. Each object
 * here keeps its own state; a step names those that it uses, and what it gives is the result of its run.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CriuWorker } from '../../criu/worker';
import type { HostAddresses } from '../../kinds/ends';
import type { Facts } from '../../kinds/kind';
import { LeavingKinds, ReceivedByOthers } from '../../kinds/leaving';
import type { LeavingProgram, MigrationTools, MovingProgram } from '../../kinds/program';
import { ownAddresses } from '../../program/facts';
import type { Journal } from '../../program/journal';
import type { Connection } from '../../vocabulary/endpoint';
import type { MovingState } from '../state';
import { FrozenProgram } from './frozen-program';
import { Peers } from './peers';

export class Departure implements LeavingProgram {
  readonly migration = randomBytes(16).toString('hex');
  /** CRIU's images and our state, on the run folder's tmpfs. */
  readonly folder: string;
  readonly addresses: ReadonlySet<string> = new Set(ownAddresses());
  readonly kinds: LeavingKinds;
  readonly peers: Peers;
  readonly frozen: FrozenProgram;
  readonly received: ReceivedByOthers;
  /** The facts of the program as they were at the preflight, which gives them. */
  facts!: Facts;
  /** The CRIU that the preflight has started and warmed. */
  criu!: CriuWorker;
  /**
   * The addresses at which the host that the program goes to reaches neighbours on this one, as the preflight found.
   */
  host: HostAddresses = { ipv4: null, ipv6: null };
  /** The state that travels, once all of it has been read. */
  state: MovingState | undefined;

  constructor(readonly program: MovingProgram, readonly tools: MigrationTools, readonly journal: Journal) {
    this.folder = join(tools.config.runDir, 'migrations', this.migration);
    this.peers = new Peers(this.migration, program.identity.group, tools);
    this.received = new ReceivedByOthers(this.peers.locked);
    this.frozen = new FrozenProgram(program);
    this.kinds = new LeavingKinds(this);
  }

  /**
   * Past the point of no return: nothing of the program stays here, and only the peers of `lost` are told so, by a
   * reset.
   */
  async killCopy(lost: readonly Connection[]): Promise<void> {
    if (lost.length > 0) this.kinds.armResets(lost);
    this.frozen.close(await this.kinds.leave());
    void this.criu.close();
    const { cgroup } = this.program;
    if (existsSync(cgroup)) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
    this.removeFolder();
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
