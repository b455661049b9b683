/** Native calls on many sockets at once, whose failures concern one socket each. */

/**
 * Does `operation` on all items at once; where that throws, on each alone, so that only the guilty ones fail. It must
 * bear being repeated. Gives the results, or what was thrown, in the items' order.
 */
export function batched<Item, Result>(
  items: readonly Item[],
  operation: (items: readonly Item[]) => readonly Result[],
): (Result | Failure)[] {
  if (items.length === 0) return [];
  try {
    return [...operation(items)];
  } catch (error) {
    if (items.length === 1) return [new Failure(error)];
    return items.map((item) => batched([item], operation)[0]!);
  }
}

export class Failure {
  constructor(readonly error: unknown) {}

  get isPermission(): boolean {
    return (this.error as { code?: unknown }).code === 'EPERM';
  }
}
