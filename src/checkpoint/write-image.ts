/** Writing a checkpoint's file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { ImageFile } from '../migration/images';
import { listImages } from '../migration/images';
import { MAC, MANIFEST, SECRETS } from './layout';
import type { Manifest, ManifestFile } from './manifest';
import { manifestMac } from './secrets';

const MODE = 0o600;

/**
 * CRIU's images in `folder`, the sealed secrets, and what `describe` says of both; on disk when this resolves, with the
 * file's size. Throws what the file system does.
 */
export async function writeImage(
  path: string,
  folder: string,
  sealed: Buffer,
  clusterKey: Buffer,
  describe: (files: ManifestFile[]) => Manifest,
): Promise<number> {
  const images = listImages(folder);
  const files: ManifestFile[] = [{
    name: SECRETS,
    size: sealed.length,
    sha256: createHash('sha256').update(sealed).digest('hex'),
  }];
  for (const image of images) files.push({ ...image, sha256: await hashOf(join(folder, image.name)) });
  const manifest = Buffer.from(`${JSON.stringify(describe(files), null, 1)}\n`);
  const archive = pack();
  const file = await open(path, 'r+');
  try {
    const written = writeFile(file, archive);
    const failed = written.catch((error: Error) => archive.destroy(error));
    await Promise.all([written,
      fill(archive, images, folder, [[MANIFEST, manifest], [MAC,
        Buffer.from(manifestMac(clusterKey, manifest).toString('hex'))], [SECRETS, sealed]]), failed]);
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

async function fill(
  archive: Pack,
  images: readonly ImageFile[],
  folder: string,
  first: readonly [string, Buffer][],
): Promise<void> {
  for (const [name, content] of first) archive.entry({ name, mode: MODE }, content);
  for (const { name, size } of images)
    await pipeline(createReadStream(join(folder, name)), archive.entry({ name, size, mode: MODE }));
  archive.finalize();
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
