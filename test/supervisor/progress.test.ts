import { Progress, type StepReport } from '../../src/supervisor/requests';

const report = (step: string): StepReport => ({ step, state: 'done', ms: 1 });

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('a short pause is not disturbed: its reports come together, in order', () => {
  const sent: string[] = [];
  const progress = new Progress(({ step }) => sent.push(step));
  progress.tell(report('freeze'));
  progress.tell(report('dump'));
  expect(sent).toEqual([]);
  progress.flush();
  expect(sent).toEqual(['freeze', 'dump']);
  jest.runAllTimers();
  expect(sent).toEqual(['freeze', 'dump']);
});

test('of a step that lasts one hears while it does', () => {
  const sent: string[] = [];
  const progress = new Progress(({ step }) => sent.push(step));
  progress.tell(report('freeze'));
  jest.advanceTimersByTime(100);
  expect(sent).toEqual(['freeze']);
  progress.tell(report('dump'));
  jest.advanceTimersByTime(100);
  expect(sent).toEqual(['freeze', 'dump']);
});
