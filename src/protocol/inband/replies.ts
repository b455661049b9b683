/** The answering side's memory: a request that comes again is answered again, and its work is not done again. */

import { BoundedMap } from './bounded-map';

const MAX_SCOPES = 1024;
const MAX_REPLIES_PER_SCOPE = 1024;

export type Reply<Answer> =
  /** Do the work, then `answer` or `abandon`. */
  | { readonly state: 'new' }
  /** It is being done: ignore this repetition. */
  | { readonly state: 'working' }
  | { readonly state: 'answered'; readonly answer: Answer };

/** A scope is one migration of one sender; the ones that were asked of last are remembered. */
export class Replies<Answer> {
  private readonly scopes = new BoundedMap<string, BoundedMap<string, Reply<Answer>>>(MAX_SCOPES);

  /** `request` says what it is within its scope: type and round or part. */
  begin(scope: string, request: string): Reply<Answer> {
    const known = this.scopes.get(scope)?.get(request);
    if (known !== undefined) return known;
    this.put(scope, request, { state: 'working' });
    return { state: 'new' };
  }

  answer(scope: string, request: string, answer: Answer): void {
    this.put(scope, request, { state: 'answered', answer });
  }

  /** The work failed in a way that trying again may mend. */
  abandon(scope: string, request: string): void {
    this.scopes.get(scope)?.delete(request);
  }

  private put(scope: string, request: string, reply: Reply<Answer>): void {
    const replies = this.scopes.get(scope) ?? new BoundedMap<string, Reply<Answer>>(MAX_REPLIES_PER_SCOPE);
    replies.set(request, reply);
    this.scopes.set(scope, replies);
  }
}
