/** An error: what failed (message), what that is to a program (code, like 'E_KEY'), and what to do (hint). */
export class MigrunError extends Error {
  readonly hint: string | undefined;

  constructor(readonly code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MigrunError';
    this.hint = options.hint;
  }
}

/** What is no error of ours is a defect, and becomes E_INTERNAL. */
export function asMigrunError(error: unknown): MigrunError {
  if (error instanceof MigrunError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new MigrunError('E_INTERNAL', text, { hint: 'this is a defect of migrun; its log says more', cause: error });
}
