/**
 * Reading a checkpoint's file: nothing of it is believed before its manifest is authenticated and every byte of it
 * checked against that. The file may be anything at all.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Entry, extract } from 'tar-stream';
import { MigrunError } from '../errors';
import { clusterKeyId } from '../protocol/channel/index';
import { archiveSize, MAC, MANIFEST, SECRETS } from './layout';
import { type Manifest, parseManifest, peekManifest } from './manifest';
import { decodeSecrets, isMacOf, openSecrets, type Secrets } from './secrets';

const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
const MAC_BYTES = 64;

/** A checkpoint that was checked, whole. */
export interface Image extends Secrets {
  readonly path: string;
  readonly bytes: number;
  readonly manifest: Manifest;
}

/** Reads and checks all of it. Throws E_CHECKPOINT_FILE, _FORMAT, _VERSION, _KEY, _TRUNCATED, _ALTERED. */
export async function readImage(path: string, clusterKey: Buffer): Promise<Image> {
  const walk = new Walk(path, clusterKey);
  for await (const _chunk of walk.images()) continue;
  return walk.result();
}

/**
 * The bytes of CRIU's images, one after the other, checked once more. Throws as `readImage` where they are not what it
 * found.
 */
export async function* imageChunks({ path, manifest }: Image, clusterKey: Buffer): AsyncGenerator<Buffer> {
  const walk = new Walk(path, clusterKey);
  yield* walk.images();
  if (walk.result().manifest.checkpoint !== manifest.checkpoint) throw altered(path, 'it is another one now');
}

/** One walk through the file, from its first byte to its last. */
class Walk {
  private manifest: Manifest | undefined;
  private secrets: Secrets | undefined;
  private bytes = 0;

  constructor(private readonly path: string, private readonly clusterKey: Buffer) {}

  result(): Image {
    const { manifest, secrets, path, bytes } = this;
    if (manifest === undefined || secrets === undefined) throw truncated(path);
    return { path, bytes, manifest, ...secrets };
  }

  async *images(): AsyncGenerator<Buffer> {
    const { path } = this;
    this.bytes = await sizeOf(path);
    const file = createReadStream(path);
    const archive = extract();
    file.on('error', (error) => archive.destroy(error));
    const entries = file.pipe(archive)[Symbol.asyncIterator]();
    const next = async (): Promise<Entry> => {
      const { value, done } = (await entries.next()) as IteratorResult<Entry, undefined>;
      if (done === true || value === undefined) throw truncated(path);
      return value;
    };
    try {
      await this.readManifest(next);
      for (const { name, size, sha256 } of (this.manifest as unknown as Manifest).files) {
        const entry = await next();
        this.requireEntry(entry, name, size);
        const hash = createHash('sha256');
        const secret: Buffer[] = [];
        for await (const chunk of entry as AsyncIterable<Buffer>) {
          hash.update(chunk);
          if (name === SECRETS) secret.push(chunk);
          else yield chunk;
        }
        if (hash.digest('hex') !== sha256) throw altered(path, `${name} is not what it was`);
        if (name === SECRETS) this.openSecrets(Buffer.concat(secret));
      }
    } catch (error) {
      throw this.meaning(error);
    } finally {
      file.destroy();
      archive.destroy();
    }
  }

  private async readManifest(next: () => Promise<Entry>): Promise<void> {
    const { path, clusterKey } = this;
    const bytes = await contentOf(await next(), MAX_MANIFEST_BYTES);
    const { key } = peekManifest(bytes, path);
    if (key !== clusterKeyId(clusterKey))
      throw new MigrunError('E_CHECKPOINT_KEY', `${path} was made with another cluster key`, {
        hint: 'copy the cluster key of the hosts that it belongs to',
      });
    const mac = await next();
    this.requireEntry(mac, MAC, MAC_BYTES);
    if (!isMacOf(Buffer.from((await contentOf(mac, MAC_BYTES)).toString('latin1'), 'hex'), clusterKey, bytes))
      throw altered(path, 'its manifest is not what it was');
    this.manifest = parseManifest(bytes);
    const size = archiveSize([bytes.length, MAC_BYTES, ...this.manifest.files.map((file) => file.size)]);
    if (this.bytes < size) throw truncated(path);
    if (this.bytes > size) throw altered(path, 'there is more in it than it says');
  }

  private openSecrets(sealed: Buffer): void {
    const opened = openSecrets(this.clusterKey, (this.manifest as Manifest).checkpoint, sealed);
    if (opened === undefined) throw altered(this.path, 'its secrets were sealed for another one');
    this.secrets = decodeSecrets(opened);
  }

  private requireEntry({ header }: Entry, name: string, size: number): void {
    if (header.name !== name || header.size !== size || header.type !== 'file')
      throw altered(this.path, `${name} is not where it was`);
  }

  /** What tar-stream throws is of a file that is no archive, or not any more. */
  private meaning(error: unknown): unknown {
    if (error instanceof MigrunError || (error as NodeJS.ErrnoException).syscall !== undefined)
      return fileError(error, this.path);
    const { message } = error as Error;
    return message === 'Unexpected end of data' ? truncated(this.path) : altered(this.path, message);
  }
}

/** Gives the size of a file that looks like a checkpoint. */
async function sizeOf(path: string): Promise<number> {
  try {
    const file = await open(path, 'r');
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new MigrunError('E_CHECKPOINT_FILE', `${path} is not a file`);
      const start = Buffer.alloc(MANIFEST.length + 1);
      const { bytesRead } = await file.read(start, 0, start.length, 0);
      if (!`${MANIFEST}\0`.startsWith(start.toString('latin1', 0, bytesRead)))
        throw new MigrunError('E_CHECKPOINT_FORMAT', `${path} is not a checkpoint of migrun`);
      return stat.size;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

async function contentOf(entry: Entry, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of entry as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error('too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function truncated(path: string): MigrunError {
  return new MigrunError('E_CHECKPOINT_TRUNCATED', `${path} ends too early`, { hint: 'was it copied whole?' });
}

function altered(path: string, how: string): MigrunError {
  return new MigrunError('E_CHECKPOINT_ALTERED', `${path} was altered: ${how}`, { hint: 'use another copy of it' });
}

function fileError(error: unknown, path: string): unknown {
  if (error instanceof MigrunError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new MigrunError('E_CHECKPOINT_FILE', `${path} cannot be read: ${code ?? message}`, { cause: error });
}
