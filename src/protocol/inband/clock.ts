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
