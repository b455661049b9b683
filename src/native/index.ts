import { join } from 'node:path';
import { MigrunError } from '../errors';
import type { Native } from './contract.js';

export type * from './contract.js';
export { EPOLL_INODE } from './contract.js';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const nodeGypBuild = require('node-gyp-build') as (folder: string) => Native;
let loaded: Native | undefined;

/** A prebuilt addon for this platform, else what node-gyp built. Throws E_NO_ADDON. */
function load(): Native {
  try {
    return nodeGypBuild(join(__dirname, '..', '..'));
  } catch (cause) {
    throw new MigrunError(
      'E_NO_ADDON',
      `the native part does not load: ${(cause as Error).message.split('\n')[0] ?? ''}`,
      { hint: 'run tools/setup', cause },
    );
  }
}

/** The one place that loads the addon, at its first use: what goes wrong then is an error of whoever needed it. */
export const native: Native = new Proxy({} as Native, {
  get: (_target, name): unknown => Reflect.get(loaded ??= load(), name),
});
