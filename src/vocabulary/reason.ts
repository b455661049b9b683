/** One reason why a program cannot move: what `migrun inspect` shows, and an error's code and message. */
export interface Reason {
  /** A stable code; docs/errors.md has the table. */
  readonly code: string;
  readonly message: string;
}
