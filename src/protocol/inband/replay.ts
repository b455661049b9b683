/** Which counters of one sender were seen. */

const WINDOW = 64n;
const ALL = (1n << WINDOW) - 1n;

/**
 * Accepts each counter once. Up to 63 behind the highest seen may still arrive late, older ones count as seen
 * (the sliding window of RFC 4303, 3.4.3). Only what was authenticated may be noted.
 */
export class ReplayWindow {
  private highest = 0n;
  /** Bit n: `highest - n` was seen. Counter 0 is never sent. */
  private seen = 1n;

  /** False: seen already, or too old to tell. */
  accept(counter: bigint): boolean {
    if (counter > this.highest) {
      const step = counter - this.highest;
      this.seen = step >= WINDOW ? 1n : ((this.seen << step) | 1n) & ALL;
      this.highest = counter;
      return true;
    }
    const behind = this.highest - counter;
    if (behind >= WINDOW) return false;
    const bit = 1n << behind;
    if ((this.seen & bit) !== 0n) return false;
    this.seen |= bit;
    return true;
  }
}
