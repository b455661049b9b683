/** Resolves when `what` does, and after this time at the latest. */
export async function within(what: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  try {
    await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}
