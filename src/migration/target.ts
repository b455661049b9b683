/**
 * A migration as its target sees it: the supervisor that waits for a program takes the source's requests in order.
 *
 *   arrive   judge: what this host lacks, all at once; start CRIU in the program's new cgroup
 *   images   write them, check the hash
 *   restore  CRIU; in its pre-resume stage freeze the cgroup; revive every connection, still locked; fill the accept queues
 *   commit   journal
 *   resume   RESUME to the peers; release the connections that follow; thaw; go on with the peers that are late
 *
 * Until the commit, whatever goes wrong and whoever goes away, `abort` leaves nothing of it here.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupRoot, criuLogOf } from '../config';
import { CriuWorker } from '../criu/worker';
import { MigrunError } from '../errors';
import { native, type Registry } from '../native/index';
import { makeInitDirectory } from '../program/init-directory';
import type { Journal } from '../program/journal';
import { destroyCgroup, hastenCgroupMoves, makeCgroup, type Pod } from '../program/pod';
import { arrivalName } from '../program/record';
import { mapRegistry } from '../program/registry';
import { openTerminal, type StdioEnds, takePipes, type Terminal } from '../program/stdio-ends';
import type { Arrival, ResumedPeer } from '../protocol/control/index';
import { connectionText, type Endpoint } from '../vocabulary/endpoint';
import { leaseFor } from '../vocabulary/lease';
import type { Reason } from '../vocabulary/reason';
import { settleEdges } from './edges';
import { judgeCheckpoint } from './holding';
import { type ImageFile, ImageReceiver } from './images';
import { judgeArrival } from './judge';
import { type MovedPeer, movedPeers } from './moved-peers';
import type { MigrationTools } from './program';
import { Revival } from './revival';
import { decodeState, type MovingState, STATE_FILE } from './state';
import { tellPeers } from './tell-peers';
import { setTimers } from './timers';

const FREEZE_TIMEOUT_MS = 5_000;
/** Of silence, in which the program waits for its peers: many times what a message needs that was lost on its way. */
const PROMPT_MS = 300;
/** How long one that has answered may wait for another that has not. */
const LATE_ROUND_MS = 500;

/** What the supervisor goes on with after the commit. */
export interface ArrivedProgram {
  readonly arrival: Arrival;
  readonly state: MovingState;
  readonly pod: Pod;
}

export class TargetMigration {
  private readonly folder: string;
  private cgroup: string | undefined;
  private worker: CriuWorker | undefined;
  private receiver: ImageReceiver | undefined;
  private receiving = { folder: '', rehearsal: false };
  private terminal: { terminal: Terminal; slave: number } | undefined;
  private arrival: Arrival | undefined;
  private state: MovingState | undefined;
  private initPid = 0;
  private revival: Revival | undefined;
  private locals: Endpoint[] = [];
  /** What became of each, by connectionText. */
  private readonly peers = new Map<string, ResumedPeer>();
  private late: readonly MovedPeer[] = [];
  committed = false;

  constructor(
    private readonly migration: string,
    private readonly tools: MigrationTools,
    private readonly journal: Journal,
  ) {
    this.folder = join(tools.config.runDir, 'migrations', migration);
  }

  /** Everything that this host lacks for the program. Where it lacks nothing, all is made ready. */
  async judge(arrival: Arrival): Promise<Reason[]> {
    const reasons = [...(await judgeArrival(arrival, this.tools.config)),
      ...(await judgeCheckpoint(arrival, this.tools, this.journal))];
    if (reasons.length > 0) return reasons;
    this.arrival = arrival;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    makeInitDirectory(arrival.program.id);
    this.cgroup = makeCgroup(arrivalName(arrival.program.id, this.migration));
    if (arrival.terminal !== null) this.terminal = openTerminal(arrival.terminal.rows, arrival.terminal.columns);
    this.worker = new CriuWorker(
      this.tools.config.criu,
      this.folder,
      criuLogOf(this.tools.config, this.migration),
      this.terminal === undefined ? [] : [this.terminal.slave],
    );
    await this.worker.warm();
    this.worker.joinCgroup(this.cgroup);
    return [];
  }

  /** Those of a rehearsal are written and checked like others, and forgotten. */
  expect(files: readonly ImageFile[], rehearsal: boolean): void {
    this.requireArrival();
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

  received(sha256: string): void {
    if (this.receiver === undefined) throw new MigrunError('E_PROTOCOL', 'no images were announced');
    this.receiver.finish(sha256);
    const { folder, rehearsal } = this.receiving;
    const state = decodeState(readFileSync(join(folder, STATE_FILE)));
    if (rehearsal) rmSync(folder, { recursive: true });
    else this.state = state;
  }

  /** The program, complete and frozen, its connections revived and locked. Gives their local ends. */
  async restore(): Promise<Endpoint[]> {
    const { arrival, worker, cgroup } = this.requireArrival();
    if (this.state === undefined) throw new MigrunError('E_PROTOCOL', 'restore before the images');
    let onFrozen: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => (onFrozen = resolve));
    let left = Promise.resolve();
    hastenCgroupMoves();
    const done = worker.restore(
      arrival.terminal === null ? {} : { inherit_fd: [{ key: arrival.terminal.key, fd: 4 }] },
      async (stage, pid) => {
        if (pid !== undefined) this.initPid = pid;
        // The tasks are born in CRIU's cgroup; from the first on it need not be there, and must not when it is frozen.
        // Leaving takes the kernel an RCU grace period, some 12 ms (cgroup_attach_lock), so it begins here.
        if (stage === 'setup-namespaces') {
          left = writeFile(join(cgroupRoot(), 'cgroup.procs'), String(worker.pid));
          left.catch(() => undefined); // who awaits it hears of it; where CRIU ended meanwhile, nobody does
        }
        if (stage !== 'pre-resume') return;
        await left;
        native.cgroupFreeze(cgroup, FREEZE_TIMEOUT_MS);
        onFrozen();
      },
    );
    await Promise.race([frozen, done]);
    this.revival = new Revival(cgroup, this.state);
    this.locals = this.revival.revive();
    if (this.revival.lost > 0)
      this.tools.log.warn({ lost: this.revival.lost }, 'datagrams that waited to be received did not come through');
    this.moveRegistry(this.revival);
    this.initPid = await done;
    setTimers(this.state.timers, cgroup);
    settleEdges(this.state.edges, cgroup);
    return this.locals;
  }

  /** The point of no return. Throws E_ABORTED where somebody decided otherwise before. */
  commit(): void {
    if (this.state === undefined || this.initPid === 0) throw new MigrunError('E_PROTOCOL', 'commit before restore');
    if (this.journal.decide(this.migration, 'committed') !== 'committed')
      throw new MigrunError('E_ABORTED', 'this migration was given up');
    this.committed = true;
    const checkpoint = this.arrival?.checkpoint ?? null;
    if (checkpoint !== null) this.journal.decide(checkpoint.id, 'committed');
  }

  /** The peers follow. Resolves when the program needs wait no longer: most have, or whoever has not is late. */
  async resume(): Promise<void> {
    const state = this.state as MovingState;
    await this.tell(movedPeers(state, this.locals), PROMPT_MS);
    this.revival?.release(this.lateNames(), this.lateMs, this.tools.log);
  }

  /** Then it runs, and only connections whose peers are silent wait: for a host that has no CPU to spare, as long as a lease. */
  private get lateMs(): number {
    return leaseFor((this.state as MovingState).connections.length);
  }

  /** True between `resume` and the end of `resumeLate` where the agents of some peers had no word to say in time. */
  get hasLate(): boolean {
    return this.late.length > 0;
  }

  /** While the program runs: those are told until they answer or their lease has ended. Gives what became of each peer. */
  async resumeLate(): Promise<ResumedPeer[]> {
    const end = performance.now() + this.lateMs;
    const registry = this.hasLate ? mapRegistry(this.initPid) : undefined;
    while (this.hasLate || this.revival?.isHolding === true) {
      const left = end - performance.now();
      if (left > 0) await this.tell(this.late, Math.min(left, LATE_ROUND_MS));
      else this.late = []; // their connections are let go like the others
      this.releaseLate(registry, left > 0);
    }
    registry?.close();
    return [...this.peers.values()];
  }

  /** A program that does not stand still for it in time is asked again. */
  private releaseLate(registry: Registry | undefined, mayWait: boolean): void {
    try {
      this.revival?.releaseLate(this.lateNames(), registry);
    } catch (error) {
      this.tools.log.warn({ err: error }, 'connections with late peers are not released yet');
      if (!mayWait || (error as NodeJS.ErrnoException).code !== 'ETIMEDOUT') this.revival?.forget();
    }
  }

  private async tell(moved: readonly MovedPeer[], deadlineMs: number): Promise<void> {
    const answers = await tellPeers(this.tools, this.state as MovingState, moved, deadlineMs);
    for (const answer of answers) this.peers.set(connectionText(answer.connection), answer);
    this.late = moved.filter(({ connection }) => this.peers.get(connectionText(connection))?.status === 'no-agent');
  }

  private lateNames(): Set<string> {
    return new Set(this.late.map(({ connection }) => connectionText(connection)));
  }

  thaw(): void {
    native.cgroupThaw(this.cgroup as string);
  }

  /** To be called before the thaw: what a program that ends at once has printed stays in the pipes that are taken here. */
  arrived(): ArrivedProgram {
    const { arrival, cgroup } = this.requireArrival();
    const { initPid, terminal } = this;
    const stdio: StdioEnds = terminal === undefined
      ? takePipes(initPid)
      : { kind: 'terminal', terminal: terminal.terminal };
    return { arrival, state: this.state as MovingState, pod: { id: arrival.program.id, cgroup, initPid, stdio } };
  }

  /** After the thaw, and before anyone watches for the program's end: it becomes a child of this process by it. */
  async inherit(): Promise<void> {
    await this.worker?.close();
  }

  /** The shim knows sockets by their inodes, which are others here, and that its program was frozen. */
  private moveRegistry(revival: Revival): void {
    const registry = mapRegistry(this.initPid);
    registry?.moveInodes(revival.inodes());
    registry?.endFreeze();
    registry?.close();
  }

  /** Removes what only the way here needed. */
  finish(): void {
    this.receiver?.close();
    if (this.terminal !== undefined) native.closeFd(this.terminal.slave);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Before the commit: nothing of the program stays here. */
  async abort(): Promise<void> {
    // Killed first: without CRIU, what it holds would run.
    const destroyed = this.cgroup === undefined ? undefined : destroyCgroup(this.cgroup);
    void this.worker?.close();
    this.finish();
    await destroyed;
    this.revival?.abandon();
    if (this.terminal !== undefined) native.closeFd(this.terminal.terminal.master);
  }

  private requireArrival(): { arrival: Arrival; worker: CriuWorker; cgroup: string } {
    const { arrival, worker, cgroup } = this;
    if (arrival === undefined || worker === undefined || cgroup === undefined)
      throw new MigrunError('E_PROTOCOL', 'nothing has arrived');
    return { arrival, worker, cgroup };
  }
}
