/** Resolves when `what` does, and at the latest after this time. */
export async function within(what: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}
