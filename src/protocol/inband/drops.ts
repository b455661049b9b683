/** Counts of what was ignored, by reason, for `migrun check`. */

export const DROP_REASONS = [
  'malformed',
  'other version',
  'unexpected',
  'unknown sender',
  'unknown migration',
  'not authenticated',
  'replayed',
] as const;

/** unexpected: a WELCOME that nobody asked for, or our own key from another address. */
export type DropReason = (typeof DROP_REASONS)[number];

export class Drops {
  private readonly counts = new Map<DropReason, number>(DROP_REASONS.map((reason) => [reason, 0]));

  add(reason: DropReason): void {
    this.counts.set(reason, this.count(reason) + 1);
  }

  count(reason: DropReason): number {
    return this.counts.get(reason) ?? 0;
  }

  all(): Record<DropReason, number> {
    return Object.fromEntries(this.counts) as Record<DropReason, number>;
  }
}
