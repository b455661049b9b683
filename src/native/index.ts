import { join } from 'node:path';
import type { Native } from './contract.js';

export type * from './contract.js';

// The one place that loads the addon: a prebuilt one for this platform, else what node-gyp built.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const load = require('node-gyp-build') as (folder: string) => Native;

export const native: Native = load(join(__dirname, '..', '..'));
