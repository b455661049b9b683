/** Processes that stand still: a wrapped program by its freezer, which hides that from it, any other with ptrace. */

import type { Status } from '../../../protocol/inband';
import type { Host, PeerFreezer } from '../host';
import { batched, Failure } from '../native-batch';

/**
 * What became of a connection that was to follow. ok: lives at the new address, unlocked. failed: as it was before, as
 * far as that can be, and unlocked. busy, not-permitted: its program cannot be stopped now; it was not touched.
 */
export type Rebound = Extract<Status, 'ok' | 'busy' | 'not-permitted' | 'failed'>;

export class Freeze {
  /** Why a process is not stopped. */
  readonly refusals = new Map<number, Rebound>();
  private readonly undo: (() => void)[] = [];

  constructor(private readonly host: Host) {}

  stop(pids: readonly number[]): void {
    const wrapped = new Map<PeerFreezer, number[]>();
    const others: number[] = [];
    for (const pid of pids) {
      const freezer = this.host.programs.freezerOf(pid);
      if (this.host.programs.isMigrating(pid)) this.refusals.set(pid, 'busy');
      else if (freezer === null) others.push(pid);
      else if (wrapped.get(freezer)?.push(pid) === undefined) wrapped.set(freezer, [pid]);
    }
    for (const [freezer, members] of wrapped) this.stopWrapped(freezer, members);
    const traced = batched(others, (some) => {
      const handle = this.host.native.ptraceFreeze(some);
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
        this.host.log.error({ err: error }, 'a peer was not thawed');
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
    this.host.log.warn({ err: failure.error, pids }, 'a peer cannot be stopped');
    for (const pid of pids) this.refusals.set(pid, failure.isPermission ? 'not-permitted' : 'busy');
  }
}
