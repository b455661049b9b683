/**
 * The asking side of a request that may be lost, and whose answers may be: asked again, ASK_INTERVAL_MS after the last
 * sign of progress and then at intervals doubling to LONGEST_ASK_INTERVAL_MS, until all is answered, or nothing was for
 * as long as the deadline says: many connections take the other side longer than few.
 *
 * A request may consist of several numbered ones (RESUME, in parts), each answered for itself; at most 32 of them are
 * on their way at a time. An answer may come in several parts (LOCKED); what was asked again names the first part
 * that is missing.
 *
 * Below are the clock that it waits by, and lists that do not fit one segment: split on one side, put together on the
 * other.
 */

import { ASK_INTERVAL_MS, LONGEST_ASK_INTERVAL_MS } from '../../times';
import { MAX_PARTS, type Part } from './messages';

const REQUEST_WINDOW = 32;

export interface ConversationOptions {
  readonly clock: Clock;
  /** How much silence ends it: counted from its start, and anew from each sign of progress. */
  readonly deadlineMs: number;
  /** After how much silence it is asked again for the first time; ASK_INTERVAL_MS where not given. */
  readonly firstIntervalMs?: number;
  /** How many numbered requests there are. */
  readonly requests: number;
  /** Sends request number `request`, sealed anew; answer parts below `from` have arrived. Must not throw. */
  readonly transmit: (request: number, from: number) => void;
}

export interface Outcome<Answer> {
  /** False: the deadline came, or `stop`. */
  readonly complete: boolean;
  /** Per request, the answer's parts in order, as far as they have arrived. */
  readonly answers: Answer[][];
}

export class Conversation<Answer> {
  readonly outcome: Promise<Outcome<Answer>>;
  private settle!: (outcome: Outcome<Answer>) => void;
  private readonly assemblies: Assembly<Answer>[];
  /** How far each request's answer had come when it was last sent; undefined: not sent yet. */
  private readonly askedFrom: (number | undefined)[];
  private deadline = 0;
  private readonly firstInterval: number;
  private interval: number;
  private callOff: () => void = () => undefined;
  private running = true;
  /** All requests before it are answered. */
  private firstOpen = 0;

  constructor(private readonly options: ConversationOptions) {
    this.outcome = new Promise((resolve) => (this.settle = resolve));
    this.assemblies = Array.from({ length: options.requests }, () => new Assembly<Answer>());
    this.askedFrom = new Array<number | undefined>(options.requests).fill(undefined);
    this.firstInterval = options.firstIntervalMs ?? ASK_INTERVAL_MS;
    this.interval = this.firstInterval;
  }

  start(): this {
    this.extend();
    this.ask(() => true);
    return this;
  }

  /** Takes an answer that was checked. Where each request has one answer, as RESUME has, it is part 0 of 1. */
  accept(request: number, part: number, parts: number, answer: Answer): void {
    if (!this.running || this.assemblies[request]?.add(part, parts, answer) !== true) return;
    this.interval = this.firstInterval;
    this.extend();
    this.ask((index, from) => {
      const asked = this.askedFrom[index];
      return asked === undefined || from >= asked + ANSWER_WINDOW;
    });
  }

  /** The other side is at work: its silence until then, and for the deadline after it, means nothing. */
  bear(ms: number): void {
    if (!this.running) return;
    this.deadline = Math.max(this.deadline, this.options.clock.now() + ms + this.options.deadlineMs);
  }

  /** Ends it, with the answers that have arrived. */
  stop(): void {
    if (!this.running) return;
    this.running = false;
    this.callOff();
    const answers = this.assemblies.map((assembly) => assembly.answers);
    this.settle({ complete: this.assemblies.every((assembly) => assembly.complete), answers });
  }

  private extend(): void {
    this.deadline = this.options.clock.now() + this.options.deadlineMs;
  }

  /** Sends those that are due among the first requests that are not answered. */
  private ask(isDue: (request: number, from: number) => boolean): void {
    while (this.assemblies[this.firstOpen]?.complete === true) this.firstOpen += 1;
    if (this.firstOpen === this.assemblies.length) return this.stop();
    this.wait();
    for (const request of this.openRequests()) {
      const from = this.assemblies[request]?.firstMissing ?? 0;
      if (!this.running || !isDue(request, from)) continue;
      this.askedFrom[request] = from;
      this.options.transmit(request, from);
    }
  }

  private openRequests(): number[] {
    const open: number[] = [];
    for (let request = this.firstOpen; request < this.assemblies.length && open.length < REQUEST_WINDOW; request += 1) {
      if (this.assemblies[request]?.complete === false) open.push(request);
    }
    return open;
  }

  private wait(): void {
    this.callOff();
    const left = this.deadline - this.options.clock.now();
    if (left <= 0) return this.stop();
    this.callOff = this.options.clock.after(Math.min(this.interval, left), () => {
      this.interval = Math.min(2 * this.interval, LONGEST_ASK_INTERVAL_MS);
      this.ask(() => true);
    });
  }
}

/** Time, handed in so that what waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  /** Calls back once after `ms`; the function it returns calls it off. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** How many answer parts one request is answered with at most: more would overflow the asker's raw socket. */
export const ANSWER_WINDOW = 32;

/** Gives at least one part, be it empty. Throws a RangeError for more entries than MAX_PARTS parts hold. */
export function splitIntoParts<Entry>(entries: readonly Entry[], perPart: number): Part<Entry>[] {
  const parts = Math.max(1, Math.ceil(entries.length / perPart));
  if (parts > MAX_PARTS) throw new RangeError(`${entries.length} entries need more than ${MAX_PARTS} parts`);
  return Array.from(
    { length: parts },
    (_unused, part) => ({ part, parts, entries: entries.slice(part * perPart, (part + 1) * perPart) }),
  );
}

/** What is sent now in answer to a request that says it has all parts below `from`. */
export function answerWindow<Answer>(answers: readonly Answer[], from: number): readonly Answer[] {
  return answers.slice(from, from + ANSWER_WINDOW);
}

/** The parts of one answer, as they arrive. How many there are is what the first of them says. */
export class Assembly<Answer> {
  private readonly arrived = new Map<number, Answer>();
  private parts: number | undefined;
  /** The lowest part that has not arrived. */
  firstMissing = 0;

  get complete(): boolean {
    return this.firstMissing === this.parts;
  }

  /** The parts in order, as far as they have arrived. */
  get answers(): Answer[] {
    return [...this.arrived.entries()].sort(([a], [b]) => a - b).map(([, answer]) => answer);
  }

  /** False: nothing new (a duplicate, or not a part of the same answer). */
  add(part: number, parts: number, answer: Answer): boolean {
    if (parts < 1 || parts > MAX_PARTS || part < 0 || part >= parts) return false;
    this.parts ??= parts;
    if (parts !== this.parts || this.arrived.has(part)) return false;
    this.arrived.set(part, answer);
    while (this.arrived.has(this.firstMissing)) this.firstMissing += 1;
    return true;
  }
}
