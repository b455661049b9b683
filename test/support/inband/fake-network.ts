/** Time that stands still until told, and a network that loses, repeats and reorders. */

import type { Clock } from '../../../src/protocol/inband';
import type { Random } from './random';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  private time = 0;
  private order = 0;
  private timers: Timer[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, order: this.order++, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Runs everything that falls due until then, in order. */
  advance(ms: number): void {
    const until = this.time + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((other) => other !== due);
      this.time = due.at;
      due.callback();
    }
    this.time = until;
  }
}

export interface Weather {
  readonly loss: number;
  readonly duplication: number;
  /** Each copy arrives after 0 to this many milliseconds, so that they overtake each other. */
  readonly jitterMs: number;
}

export class FakeNetwork {
  sent = 0;

  constructor(private readonly clock: Clock, private readonly random: Random, private readonly weather: Weather) {}

  send(deliver: () => void): void {
    this.sent += 1;
    const copies = this.random.next() < this.weather.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.random.next() < this.weather.loss) continue;
      this.clock.after(this.random.next() * this.weather.jitterMs, deliver);
    }
  }
}
