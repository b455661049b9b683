import { resolve } from 'node:path';

/** The checkout that these tests are of. */
export const repo = resolve(__dirname, '../..');
