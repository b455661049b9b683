/** Processes that stand still: a wrapped program by its freezer, which hides that from it, any other with ptrace. */

import type { Logger } from 'pino';
import type { Native } from '../../../native/contract';
import { batched, Failure } from '../native-batch';
import type { LocalPrograms, PeerFreezer, Rebound } from '../types';

export class Freeze {
  /** Why a process is not stopped. */
  readonly refusals = new Map<number, Rebound>();
  private readonly undo: (() => void)[] = [];

  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
    private readonly log: Logger,
  ) {}

  stop(pids: readonly number[]): void {
    const wrapped = new Map<PeerFreezer, number[]>();
    const others: number[] = [];
    for (const pid of pids) {
      const freezer = this.programs.freezerOf(pid);
      if (this.programs.isMigrating(pid)) this.refusals.set(pid, 'busy');
      else if (freezer === null) others.push(pid);
      else if (wrapped.get(freezer)?.push(pid) === undefined) wrapped.set(freezer, [pid]);
    }
    for (const [freezer, members] of wrapped) this.stopWrapped(freezer, members);
    const traced = batched(others, (some) => {
      const handle = this.native.ptraceFreeze(some);
      this.undo.push(() => handle.release());
      return some;
    });
    traced.forEach((result, index) => {
      if (result instanceof Failure) this.refuse([others[index]!], result);
    });
  }

  release(): void {
    for (const thaw of this.undo.reverse()) {
      try {
        thaw();
      } catch (error) {
        this.log.error({ err: error }, 'a peer was not thawed');
      }
    }
  }

  private stopWrapped(freezer: PeerFreezer, pids: readonly number[]): void {
    try {
      freezer.freeze();
      this.undo.push(() => freezer.thaw());
    } catch (error) {
      this.refuse(pids, new Failure(error));
    }
  }

  private refuse(pids: readonly number[], failure: Failure): void {
    this.log.warn({ err: failure.error, pids }, 'a peer cannot be stopped');
    for (const pid of pids) this.refusals.set(pid, failure.isPermission ? 'not-permitted' : 'busy');
  }
}
