/**
 * What the steps of a migration report, on its way to whoever asked for the migration. Reports are sent in batches:
 * each message wakes another process, which costs time while the program stands still, and a small program runs again
 * before a person could read one.
 */
import type { SupervisorMessage } from '../protocol/control/index';
import { PROGRESS_INTERVAL_MS } from '../times';

export type StepReport = Omit<Extract<SupervisorMessage, { type: 'progress' }>, 'type'>;

export class Progress {
  private readonly unsent: StepReport[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (report: StepReport) => void) {}

  tell(report: StepReport): void {
    this.unsent.push(report);
    this.timer ??= setTimeout(() => this.flush(), PROGRESS_INTERVAL_MS);
  }

  /** Sends all that is left, so that it comes before the answer that ends the matter. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const report of this.unsent.splice(0)) this.send(report);
  }
}
