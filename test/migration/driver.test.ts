import pino from 'pino';
import { runSteps, type Step } from '../../src/migration/driver';

const log = pino({ level: 'silent' });

/** What happened, in its order. */
type Story = string[];

/** Steps a, b, c, ... that tell their story; the one called `failing` fails half done. */
function steps(
  names: string,
  options: { failing?: string; pointOfNoReturn?: string; badUndo?: string; withoutUndo?: string } = {},
): Step<Story>[] {
  return [...names].map((name) => ({
    name,
    run: async (story) => {
      await Promise.resolve();
      story.push(name);
      if (name === options.failing) throw new Error(`${name} failed`);
    },
    ...(name === options.withoutUndo
      ? {}
      : {
        undo: (story: Story) => {
          story.push(`undo ${name}`);
          if (name === options.badUndo) throw new Error(`undo of ${name} failed`);
        },
      }),
    ...(name === options.pointOfNoReturn ? { pointOfNoReturn: true as const } : {}),
  }));
}

async function run(table: Step<Story>[]) {
  const story: Story = [];
  const progress: string[] = [];
  const outcome = await runSteps(table, story, (step, state) => progress.push(`${step} ${state}`), log).catch(
    (error: Error) => error
  );
  return { story, progress, outcome };
}

test('the steps run in their order, each after the one before', async () => {
  const { story, progress, outcome } = await run(steps('abc'));
  expect(story).toEqual(['a', 'b', 'c']);
  expect(progress).toEqual(['a started', 'a done', 'b started', 'b done', 'c started', 'c done']);
  expect(outcome).toEqual(['a', 'b', 'c'].map((name) => ({ name, ms: expect.any(Number) as number })));
});

test('a step that takes its time is timed', async () => {
  jest.useFakeTimers();
  const slow = { name: 'slow', run: () => new Promise<void>((resolve) => setTimeout(resolve, 30)) };
  const running = runSteps([slow], {}, () => undefined, log);
  await jest.advanceTimersByTimeAsync(30);
  expect(await running).toEqual([{ name: 'slow', ms: 30 }]);
  jest.useRealTimers();
});

test('what a step gives is there for the steps behind it, and for the undoing', async () => {
  const context = { given: 0, seen: [] as number[] };
  const table: Step<typeof context>[] = [
    { name: 'gives', run: () => Promise.resolve({ given: 17 }), undo: ({ given, seen }) => void seen.push(given + 1) },
    { name: 'sees', run: ({ given, seen }) => void seen.push(given) },
    { name: 'fails', run: () => Promise.reject(new Error('failed')) },
  ];
  await expect(runSteps(table, context, () => undefined, log)).rejects.toThrow('failed');
  expect(context).toEqual({ given: 17, seen: [17, 18] });
});

test('a failure is undone from the step that failed back to the first', async () => {
  const { story, progress, outcome } = await run(steps('abcd', { failing: 'c' }));
  expect(story).toEqual(['a', 'b', 'c', 'undo c', 'undo b', 'undo a']);
  expect(progress.slice(-4)).toEqual(['c started', 'c undone', 'b undone', 'a undone']);
  expect(outcome).toEqual(new Error('c failed'));
});

test('a step without an undo is passed by', async () => {
  const { story } = await run(steps('abc', { failing: 'c', withoutUndo: 'b' }));
  expect(story).toEqual(['a', 'b', 'c', 'undo c', 'undo a']);
});

test('every undo is tried, and the first failure is the one that is told', async () => {
  const { story, progress, outcome } = await run(steps('abc', { failing: 'c', badUndo: 'b' }));
  expect(story).toEqual(['a', 'b', 'c', 'undo c', 'undo b', 'undo a']);
  expect(progress).not.toContain('b undone');
  expect(outcome).toEqual(new Error('c failed'));
});

test('the point of no return may itself fail, and is undone then', async () => {
  const { story } = await run(steps('abc', { failing: 'b', pointOfNoReturn: 'b' }));
  expect(story).toEqual(['a', 'b', 'undo b', 'undo a']);
});

test('after the point of no return nothing is undone', async () => {
  const { story, outcome } = await run(steps('abc', { failing: 'c', pointOfNoReturn: 'b' }));
  expect(story).toEqual(['a', 'b', 'c']);
  expect(outcome).toEqual(new Error('c failed'));
});
