/**
 * The transaction: an ordered table of steps, walked down; on a failure walked back up from the step that failed, each
 * step undoing whatever of it was done. One step is the point of no return: from its end on nothing is undone.
 */
import type { Logger } from '../log';

export interface Step<Context> {
  readonly name: string;
  /** Does the step. What it resolves with is in the context for the steps behind it. */
  run(context: Context): Promise<Partial<Context> | void> | Partial<Context> | void;
  /** Undoes the step, also where that was done half or not at all. */
  undo?(context: Context): Promise<void> | void;
  /** When this step is done, the transaction has happened. */
  readonly pointOfNoReturn?: true;
}

export interface Phase {
  readonly name: string;
  readonly ms: number;
}

export type Progress = (step: string, state: 'started' | 'done' | 'undone', ms: number) => void;

/** Resolves with how long each step took. Rejects with the first failure, after everything was undone. */
export async function runSteps<Context extends object>(
  steps: readonly Step<Context>[],
  context: Context,
  onProgress: Progress,
  log: Logger,
): Promise<Phase[]> {
  const phases: Phase[] = [];
  for (const [index, step] of steps.entries()) {
    const startedAt = performance.now();
    onProgress(step.name, 'started', 0);
    try {
      Object.assign(context, await step.run(context));
    } catch (error) {
      log.warn({ step: step.name, err: error }, 'step failed');
      if (!steps.slice(0, index).some((done) => done.pointOfNoReturn))
        await undoSteps(steps.slice(0, index + 1), context, onProgress, log);
      throw error;
    }
    const ms = performance.now() - startedAt;
    phases.push({ name: step.name, ms });
    onProgress(step.name, 'done', ms);
  }
  return phases;
}

/** Every undo is tried, whatever becomes of another: the program must run again. */
export async function undoSteps<Context>(
  steps: readonly Step<Context>[],
  context: Context,
  onProgress: Progress,
  log: Logger,
): Promise<void> {
  for (const step of [...steps].reverse()) {
    if (step.undo === undefined) continue;
    const startedAt = performance.now();
    try {
      await step.undo(context);
      onProgress(step.name, 'undone', performance.now() - startedAt);
    } catch (error) {
      log.error({ step: step.name, err: error }, 'undo failed');
    }
  }
}
