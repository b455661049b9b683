/**
 * A migration as its target sees it: the supervisor that waits for a program takes the source's requests in order.
 *
 *   arrive   judge: what this host lacks, all at once; start CRIU in the program's new cgroup
 *   images   write them, check the hash
 *   restore  CRIU; in its pre-resume stage freeze the cgroup; revive all kinds, the connections still locked
 *   commit   journal
 *   resume   RESUME to the peers; release the connections that follow; thaw; go on with the peers that are late
 *
 * Until the commit, whatever goes wrong and whoever goes away, `abort` leaves nothing of it here.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupRoot, criuLogOf } from '../../config';
import { CriuWorker } from '../../criu/worker';
import { MigrunError } from '../../errors';
import { ArrivingKinds } from '../../kinds/arriving';
import type { ArrivingProgram, Inherited, Late } from '../../kinds/kind';
import type { MigrationTools } from '../../kinds/program';
import { countConnections, type MovedPeer, movedPeers, savedPeers } from '../../kinds/saved';
import { native, type Registry } from '../../native/index';
import type { Journal } from '../../program/journal';
import { destroyCgroup, hastenCgroupMoves, makeCgroup, type Pod } from '../../program/pod';
import { arrivalName, makeInitDirectory } from '../../program/record';
import { mapRegistry } from '../../program/registry';
import { RestoredDescriptors } from '../../program/restored-descriptors';
import { takePipes } from '../../program/stdio';
import type { Arrival, ResumedPeer } from '../../protocol/control/index';
import { LATE_DEADLINE_MS, leaseFor, PROMPT_DEADLINE_MS, RESTORED_FREEZE_TIMEOUT_MS } from '../../times';
import { connectionName, type Endpoint } from '../../vocabulary/endpoint';
import type { Reason } from '../../vocabulary/refusal';
import { type ImageFile, ImageReceiver } from '../images';
import { decodeState, type MovingState, STATE_FILE } from '../state';
import { judgeCheckpoint } from './claim';
import { addressesHere, judgeArrival } from './judge';
import { tellPeers } from './tell-peers';

/** CRIU's worker has the descriptors that it is given from this one on. */
const FIRST_INHERITED_FD = 4;

/** What the supervisor goes on with after the commit. */
export interface ArrivedProgram {
  readonly arrival: Arrival;
  readonly state: MovingState;
  readonly pod: Pod;
}

/** The parts of a target that exist from the judgement on. */
interface Ready {
  readonly arrival: Arrival;
  readonly cgroup: string;
  readonly criu: CriuWorker;
  readonly inherited: readonly Inherited[];
}

export class TargetMigration {
  private readonly folder: string;
  private readonly kinds: ArrivingKinds;
  private cgroup: string | undefined;
  private ready: Ready | undefined;
  private receiver: ImageReceiver | undefined;
  private receiving = { folder: '', rehearsal: false };
  private state: MovingState | undefined;
  private initPid = 0;
  /** The program as it arrives; known from the revival on. */
  private program: ArrivingProgram | undefined;
  private locals: readonly Endpoint[] = [];
  /** What became of each peer, by connectionName. */
  private readonly peers = new Map<string, ResumedPeer>();
  private late: readonly MovedPeer[] = [];
  committed = false;

  constructor(
    private readonly migration: string,
    private readonly tools: MigrationTools,
    private readonly journal: Journal,
  ) {
    this.folder = join(tools.config.runDir, 'migrations', migration);
    this.kinds = new ArrivingKinds();
  }

  /** Gives everything that this host lacks for the program. If it lacks nothing, all is made ready. */
  async judge(arrival: Arrival): Promise<Reason[]> {
    const { tools, migration, folder } = this;
    const reasons = [...(await judgeArrival(arrival, tools.config)),
      ...(await judgeCheckpoint(arrival, tools, this.journal))];
    if (reasons.length > 0) return reasons;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    makeInitDirectory(arrival.program.id);
    const cgroup = makeCgroup(arrivalName(arrival.program.id, migration));
    this.cgroup = cgroup;
    const inherited = this.kinds.ready(arrival.needs);
    const log = criuLogOf(tools.config, migration);
    const criu = new CriuWorker(tools.config.criu, folder, log, inherited.map(({ fd }) => fd));
    this.ready = { arrival, cgroup, criu, inherited };
    await criu.warm();
    criu.joinCgroup(cgroup);
    return [];
  }

  /** Makes ready for these images. A rehearsal's are written and checked like others, and forgotten. */
  expect(files: readonly ImageFile[], rehearsal: boolean): void {
    this.requireReady();
    hastenCgroupMoves();
    this.receiver?.close();
    const folder = rehearsal ? join(this.folder, 'rehearsal') : this.folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.receiver = new ImageReceiver(folder, files);
    this.receiving = { folder, rehearsal };
  }

  take(data: Buffer): void {
    if (this.receiver === undefined) throw new MigrunError('E_PROTOCOL', 'data that no images message announced');
    this.receiver.take(data);
  }

  imagesReceived(sha256: string): void {
    if (this.receiver === undefined) throw new MigrunError('E_PROTOCOL', 'no images were announced');
    this.receiver.finish(sha256);
    const { folder, rehearsal } = this.receiving;
    const state = decodeState(readFileSync(join(folder, STATE_FILE)));
    if (rehearsal) rmSync(folder, { recursive: true });
    else this.state = state;
  }

  /**
   * The program, complete and frozen, its connections revived and locked. Gives where the peers' connections have their
   * local ends.
   */
  async restore(): Promise<readonly Endpoint[]> {
    const { cgroup } = this.requireReady();
    const { state } = this;
    if (state === undefined) throw new MigrunError('E_PROTOCOL', 'restore before the images');
    const { frozen, done } = this.startCriu();
    await Promise.race([frozen, done]);
    const program: ArrivingProgram = {
      cgroup,
      log: this.tools.log,
      descriptors: new RestoredDescriptors(cgroup),
      addresses: addressesHere(state.addresses),
      host: state.host,
      registry: undefined,
    };
    this.program = program;
    this.locals = this.kinds.revive(state.kinds, program);
    this.initPid = await done;
    const registry = mapRegistry(this.initPid);
    try {
      this.kinds.settle(state.kinds, { ...program, registry });
    } finally {
      registry?.close();
    }
    return this.locals;
  }

  /**
   * `frozen` resolves in CRIU's last stage before it would let the processes run; `done`, with the pid of init, when it
   * has let go.
   */
  private startCriu(): { frozen: Promise<void>; done: Promise<number> } {
    const { criu, cgroup, inherited } = this.requireReady();
    let onFrozen: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => (onFrozen = resolve));
    let left = Promise.resolve();
    hastenCgroupMoves();
    const inherit = inherited.map(({ key }, index) => ({ key, fd: FIRST_INHERITED_FD + index }));
    const done = criu.restore(inherit.length === 0 ? {} : { inherit_fd: inherit }, async (stage, pid) => {
      if (pid !== undefined) this.initPid = pid;
      // The tasks are born in CRIU's cgroup; from the first on it need not be there, and must not when it is frozen.
      // Leaving takes the kernel an RCU grace period, some 12 ms (cgroup_attach_lock), so it begins here.
      if (stage === 'setup-namespaces') {
        left = writeFile(join(cgroupRoot(), 'cgroup.procs'), String(criu.pid));
        left.catch(() => undefined); // who awaits it hears of it; where CRIU ended meanwhile, nobody does
      }
      if (stage !== 'pre-resume') return;
      await left;
      native.cgroupFreeze(cgroup, RESTORED_FREEZE_TIMEOUT_MS);
      onFrozen();
    });
    return { frozen, done };
  }

  /** The point of no return. Throws E_ABORTED where somebody decided otherwise before. */
  commit(): void {
    if (this.state === undefined || this.initPid === 0 || this.program === undefined)
      throw new MigrunError('E_PROTOCOL', 'commit before restore');
    if (this.journal.decide(this.migration, 'committed') !== 'committed')
      throw new MigrunError('E_ABORTED', 'this migration was given up');
    this.committed = true;
    const { checkpoint } = this.requireReady().arrival;
    if (checkpoint !== null) this.journal.decide(checkpoint.id, 'committed');
  }

  /** The peers follow. Resolves when the program needs wait no longer: most have, or whoever has not is late. */
  async resume(): Promise<void> {
    const { kinds, host } = this.state as MovingState;
    await this.tell(movedPeers(savedPeers(kinds), this.locals, host), PROMPT_DEADLINE_MS);
    this.kinds.release(this.program as ArrivingProgram, this.latePeers());
  }

  /** True between `resume` and the end of `resumeLate` where the agents of some peers had no word to say in time. */
  get hasLate(): boolean {
    return this.late.length > 0;
  }

  /**
   * While the program runs, tells late peers until they answer or their lease has ended. Gives what became of each
   * peer.
   */
  async resumeLate(): Promise<ResumedPeer[]> {
    const end = performance.now() + this.latePeers().leaseMs;
    const registry = this.hasLate ? mapRegistry(this.initPid) : undefined;
    while (this.hasLate || this.kinds.hasUnreleased()) {
      const left = end - performance.now();
      if (left > 0) await this.tell(this.late, Math.min(left, LATE_DEADLINE_MS));
      else this.late = []; // their connections are let go like the others
      this.releaseLate(registry, left > 0);
    }
    registry?.close();
    return [...this.peers.values()];
  }

  /**
   * Releases what waits for late peers that have answered by now. If the program does not stand still for it in time,
   * the next round tries again.
   */
  private releaseLate(registry: Registry | undefined, mayWait: boolean): void {
    const program = this.program as ArrivingProgram;
    try {
      this.kinds.releaseLate(program, this.latePeers(), registry);
    } catch (error) {
      this.tools.log.warn({ err: error }, 'connections with late peers are not released yet');
      if (!mayWait || (error as NodeJS.ErrnoException).code !== 'ETIMEDOUT') this.kinds.giveUp(program);
    }
  }

  private async tell(moved: readonly MovedPeer[], deadlineMs: number): Promise<void> {
    const answers = await tellPeers(this.tools, this.state as MovingState, moved, deadlineMs);
    for (const answer of answers) this.peers.set(connectionName(answer.connection), answer);
    this.late = moved.filter(({ connection }) => this.peers.get(connectionName(connection))?.status === 'no-agent');
  }

  /** The program runs, and only their connections wait: for a host that has no CPU to spare, as long as a lease. */
  private latePeers(): Late {
    const { kinds } = this.state as MovingState;
    const names = new Set(this.late.map(({ connection }) => connectionName(connection)));
    return { names, leaseMs: leaseFor(countConnections(kinds)) };
  }

  thaw(): void {
    native.cgroupThaw(this.requireReady().cgroup);
  }

  /** Is called before the thaw: what a program that ends at once has printed stays in the pipes that are taken here. */
  arrived(): ArrivedProgram {
    const { arrival, cgroup } = this.requireReady();
    const { initPid } = this;
    const stdio = this.kinds.stdio() ?? takePipes(initPid);
    return { arrival, state: this.state as MovingState, pod: { id: arrival.program.id, cgroup, initPid, stdio } };
  }

  /**
   * Makes the program a child of this process; called after the thaw, and before anyone watches for the program's end.
   */
  async inherit(): Promise<void> {
    await this.ready?.criu.close();
  }

  /** Removes what only the way here needed. */
  finish(): void {
    this.receiver?.close();
    this.kinds.finish();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Undoes all, before the commit: nothing of the program stays here. */
  async abort(): Promise<void> {
    // The processes are killed first: those that CRIU has stopped would run without it.
    const destroyed = this.cgroup === undefined ? undefined : destroyCgroup(this.cgroup);
    void this.ready?.criu.close();
    this.finish();
    await destroyed;
    this.kinds.abandon(this.program);
  }

  private requireReady(): Ready {
    if (this.ready === undefined) throw new MigrunError('E_PROTOCOL', 'nothing has arrived');
    return this.ready;
  }
}
