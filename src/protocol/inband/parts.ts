/** Lists that do not fit one segment: split on one side, put together on the other. */

import { MAX_PARTS, type Part } from './messages';

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
  private missing = 0;

  /** The lowest part that has not arrived. */
  get firstMissing(): number {
    return this.missing;
  }

  get complete(): boolean {
    return this.missing === this.parts;
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
    while (this.arrived.has(this.missing)) this.missing += 1;
    return true;
  }
}
