/**
 * A checkpoint is one tar file:
 *
 *   manifest.json    what it is (manifest.ts)
 *   manifest.mac     HMAC-SHA256 of that, in hexadecimal (secrets.ts)
 *   migrun-secrets   sealed: what the target is to judge, and the program's state (secrets.ts)
 *   ...              CRIU's images
 */
export const MANIFEST = 'manifest.json';
export const MAC = 'manifest.mac';
export const SECRETS = 'migrun-secrets';

const BLOCK = 512;
/** An archive ends with two empty blocks. */
const END = 2 * BLOCK;

/** How large the archive of such files is. With sizes and names as short as ours every header is one block. */
export function archiveSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + BLOCK + Math.ceil(size / BLOCK) * BLOCK, END);
}
