import { Seldom } from '../../src/supervisor/throttle';

/** What takes ten milliseconds each time. */
function tenMilliseconds() {
  jest.useFakeTimers();
  const times: number[] = [];
  const began = performance.now();
  const seldom = new Seldom(() => {
    times.push(performance.now() - began);
    jest.advanceTimersByTime(10);
  });
  return { seldom, times };
}

afterEach(() => jest.useRealTimers());

test('what is asked for is done at once', () => {
  const { seldom, times } = tenMilliseconds();
  seldom.ask();
  expect(times).toEqual([0]);
});

test('what is asked for again and again is done seldom, and once more in the end', () => {
  const { seldom, times } = tenMilliseconds();
  for (let count = 0; count < 1_000; count++) {
    seldom.ask();
    jest.advanceTimersByTime(1);
  }
  jest.advanceTimersByTime(1_000);
  expect(times).toEqual([0, 310, 620, 930, 1240]);
});

test('nothing is done after close', () => {
  const { seldom, times } = tenMilliseconds();
  seldom.ask();
  seldom.ask();
  seldom.close();
  jest.advanceTimersByTime(1_000);
  expect(times).toEqual([0]);
});
