/**
 * For work that is asked for more often than it should be done. The first request is done at once. Those that come soon
 * after it are done together, once, when a wait is over. The wait is a multiple of the time that the work took, so the
 * work never takes more than a small share of a processor.
 */

/** How many times longer than the work the wait after it is. */
const WAIT_PER_WORK = 30;

export class Throttle {
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
    this.timer = setTimeout(() => this.waitEnded(), WAIT_PER_WORK * (performance.now() - began));
  }

  private waitEnded(): void {
    this.timer = undefined;
    if (!this.isAsked) return;
    this.isAsked = false;
    this.run();
  }
}
