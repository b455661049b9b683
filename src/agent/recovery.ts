/**
 * As long as there is a record of a program (program/record.ts), somebody must supervise it (program/supervision.ts):
 * where nobody does, its supervisor died, and another one is started.
 */
import { type Config, logFileOf } from '../config';
import type { Logger } from '../log';
import { Records } from '../program/record';
import { supervisionEnded } from '../program/supervision';
import { STEADY_MS, SUPERVISED_TIMEOUT_MS } from '../times';
import { spawnSelf } from './spawn-self';

/** A new supervisor that dies so often in a row is not helped by another one. */
const MAX_FAILURES = 3;

export class Recovery {
  /** By program; true: it is to be looked after again when that has ended. */
  private readonly watched = new Map<string, boolean>();
  private readonly stopped = new AbortController();
  private readonly records: Records;

  constructor(private readonly config: Config, private readonly log: Logger) {
    this.records = new Records(config.programsDir);
  }

  /** Looks after whatever a crash has left here. */
  start(): void {
    for (const id of this.records.ids()) this.watch(id);
  }

  /** From here on the program gets another supervisor whenever it has none. */
  watch(id: string): void {
    if (this.watched.has(id)) {
      this.watched.set(id, true);
      return;
    }
    this.watched.set(id, false);
    void this.lookAfter(id).catch((error: unknown) =>
      this.log.error({ err: error, program: id }, 'a program is not looked after')
    ).then(() => {
      const again = this.watched.get(id) === true;
      this.watched.delete(id);
      if (again) this.watch(id);
    });
  }

  stop(): void {
    this.stopped.abort();
  }

  /** Ends when the program has no record any more. */
  private async lookAfter(id: string): Promise<void> {
    for (let failures = 0; failures < MAX_FAILURES;) {
      const since = performance.now();
      if (!(await supervisionEnded(id, undefined, this.stopped.signal))) return;
      if (!this.records.has(id)) return;
      // Where the program has another supervisor already, there is nothing to do but to wait for the end of that one.
      if (!(await supervisionEnded(id, SUPERVISED_TIMEOUT_MS, this.stopped.signal))) continue;
      if (performance.now() - since > STEADY_MS) failures = 0;
      failures += 1;
      await this.adopt(id);
    }
    this.log.error(
      { program: id },
      'no supervisor of this program lives; the agent tries again when it is started again',
    );
  }

  private async adopt(id: string): Promise<void> {
    if (this.stopped.signal.aborted) return;
    this.log.warn({ program: id }, 'its supervisor died; another one is started');
    try {
      await spawnSelf(['supervise', '--adopt', id], logFileOf(this.config, id));
    } catch (error) {
      this.log.error({ err: error, program: id }, 'it did not start');
    }
  }
}
