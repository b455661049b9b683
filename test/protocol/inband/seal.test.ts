import { ReplayWindow } from '../../../src/protocol/inband/seal';
import { Random } from '../../support/inband/random';

describe('ReplayWindow', () => {
  test('takes each counter once', () => {
    const window = new ReplayWindow();
    expect([1n, 2n, 2n, 5n, 4n, 4n, 3n, 5n].map((counter) => window.accept(counter))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  test('never takes 0', () => {
    expect(new ReplayWindow().accept(0n)).toBe(false);
  });

  test('63 behind the highest is still taken, 64 is not', () => {
    const window = new ReplayWindow();
    window.accept(1000n);
    expect(window.accept(937n)).toBe(true);
    expect(window.accept(936n)).toBe(false);
    expect(window.accept(937n)).toBe(false);
  });

  test('a leap to the highest number leaves nothing to repeat', () => {
    const window = new ReplayWindow();
    window.accept(3n);
    expect(window.accept(2n ** 64n - 1n)).toBe(true);
    expect(window.accept(3n)).toBe(false);
    expect(window.accept(2n ** 64n - 1n)).toBe(false);
  });

  test('agrees with a plain set, within the window', () => {
    const random = new Random(1);
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let highest = 0;
    for (let step = 0; step < 5000; step += 1) {
      const counter = Math.max(1, highest + 10 - random.below(90));
      highest = Math.max(highest, counter);
      const expected = !seen.has(counter) && highest - counter < 64;
      expect(window.accept(BigInt(counter))).toBe(expected);
      if (expected) seen.add(counter);
    }
  });
});
