/**
 * What the steps of a migration report, on its way to whoever asked for the migration. Reports are sent in batches:
 * each message wakes another process, which costs time while the program stands still, and a small program runs again
 * before a person could read one.
 */
import type { SupervisorMessage } from '../protocol/control/index';

export type StepReport = Omit<Extract<SupervisorMessage, { type: 'progress' }>, 'type'>;

const BATCH_MS = 100;

export class Progress {
  private readonly unsent: StepReport[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (report: StepReport) => void) {}

  tell(report: StepReport): void {
    this.unsent.push(report);
    this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  /** Sends all that is left, so that it comes before the answer that ends the matter. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const report of this.unsent.splice(0)) this.send(report);
  }
}
