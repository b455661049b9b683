/** An error that says what failed (message), what it is to a program (code, like 'E_KEY') and what to do about it (hint). */
export class MigrunError extends Error {
  readonly hint: string | undefined;

  constructor(
    readonly code: string,
    message: string,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MigrunError';
    this.hint = options.hint;
  }
}
