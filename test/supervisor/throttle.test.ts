import { Throttle } from '../../src/supervisor/registration';

/** What takes ten milliseconds each time. */
function tenMilliseconds() {
  jest.useFakeTimers();
  const times: number[] = [];
  const began = performance.now();
  const throttle = new Throttle(() => {
    times.push(performance.now() - began);
    jest.advanceTimersByTime(10);
  });
  return { throttle, times };
}

afterEach(() => jest.useRealTimers());

test('what is asked for is done at once', () => {
  const { throttle, times } = tenMilliseconds();
  throttle.ask();
  expect(times).toEqual([0]);
});

test('what is asked for again and again is done now and then, and once more in the end', () => {
  const { throttle, times } = tenMilliseconds();
  for (let count = 0; count < 1_000; count++) {
    throttle.ask();
    jest.advanceTimersByTime(1);
  }
  jest.advanceTimersByTime(1_000);
  expect(times).toEqual([0, 310, 620, 930, 1240]);
});

test('nothing is done after close', () => {
  const { throttle, times } = tenMilliseconds();
  throttle.ask();
  throttle.ask();
  throttle.close();
  jest.advanceTimersByTime(1_000);
  expect(times).toEqual([0]);
});
