/**
 * Work that events ask for faster than it can be done: at once where it was not done just now, else together with what
 * is asked for until then. The longer it takes, the longer the time between, so that it never fills a processor.
 */

/** Times its own length, between two. */
const PAUSE = 30;

export class Seldom {
  private timer: NodeJS.Timeout | undefined;
  private isAsked = false;

  constructor(private readonly work: () => void) {}

  ask(): void {
    if (this.timer !== undefined) this.isAsked = true;
    else this.run();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private run(): void {
    const began = performance.now();
    this.work();
    this.timer = setTimeout(() => this.pauseEnded(), PAUSE * (performance.now() - began));
  }

  private pauseEnded(): void {
    this.timer = undefined;
    if (!this.isAsked) return;
    this.isAsked = false;
    this.run();
  }
}
