import { watch } from 'node:fs';

/** What changes at all does so long before, on a host with no CPU to spare. */
const TIMEOUT_MS = 120_000;

/** Resolves when `look` is true, which is asked again at each change in the folder. */
export function onChange(folder: string, what: string, look: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, () => check());
    const timer = setTimeout(
      () => settle(() => reject(new Error(`nothing for ${TIMEOUT_MS} ms while waiting in ${folder} for ${what}`))),
      TIMEOUT_MS,
    );
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      watcher.close();
      then();
    };
    const check = (): void => {
      if (look()) settle(resolve);
    };
    check();
  });
}
