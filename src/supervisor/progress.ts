/**
 * What a migration's steps report, on its way to whoever asked for it: in batches, because each message wakes another
 * process, and a small program's pause is over before a person could read one.
 */
export interface StepReport {
  readonly step: string;
  readonly state: 'started' | 'done' | 'undone';
  readonly ms: number;
}

const BATCH_MS = 100;

export class Progress {
  private readonly held: StepReport[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (report: StepReport) => void) {}

  tell(report: StepReport): void {
    this.held.push(report);
    this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  /** All of it, before an answer that ends the matter. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const report of this.held.splice(0)) this.send(report);
  }
}
