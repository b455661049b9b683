/** A program's images on their way: a folder of files, streamed with one hash over all, names and sizes included. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MigrunError } from '../errors';
import type { Channel } from '../protocol/channel/index';
import type { SupervisorMessage } from '../protocol/control/index';

export interface ImageFile {
  readonly name: string;
  readonly size: number;
}

const CHUNK = 1024 * 1024;

/** What CRIU wrote for itself, not for the restore. */
const NOT_SENT = ['criu.log', 'criu.stderr', 'stats-dump'];

export function listImages(folder: string): ImageFile[] {
  return readdirSync(folder).filter((name) => !NOT_SENT.includes(name)).map((name) => ({
    name,
    size: statSync(join(folder, name)).size,
  }));
}

/**
 * `chunks` is what these files have in them, one after the other. Resolves when all is sent; `received`, when the other
 * side has it, whole.
 */
export async function sendImages(
  channel: Channel<SupervisorMessage>,
  files: readonly ImageFile[],
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  { rehearsal = false } = {},
): Promise<{ bytes: number; received: Promise<void> }> {
  const hash = startHash(files);
  await channel.send({ type: 'images', rehearsal, files: [...files] });
  for await (const chunk of chunks) {
    hash.update(chunk);
    await channel.sendData(chunk);
  }
  const received = channel.request({ type: 'received', sha256: hash.digest('hex') }).then(() => undefined);
  received.catch(() => undefined); // who awaits it hears of it
  return { bytes: totalSize(files), received };
}

function totalSize(files: readonly ImageFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** All files' bytes in order, in full chunks: a small program's two dozen images cross as one frame. */
export function* readImages(folder: string, files = listImages(folder)): Generator<Buffer> {
  let left = totalSize(files);
  let chunk = Buffer.allocUnsafe(Math.min(CHUNK, left));
  let filled = 0;
  for (const { name, size } of files) {
    const path = join(folder, name);
    const fd = openSync(path, 'r');
    try {
      for (let at = 0; at < size;) {
        const length = readSync(fd, chunk, filled, Math.min(chunk.length - filled, size - at), at);
        if (length === 0) throw new MigrunError('E_IMAGE', `${path} is shorter than it was`);
        at += length;
        filled += length;
        left -= length;
        if (filled < chunk.length) continue;
        yield chunk;
        chunk = Buffer.allocUnsafe(Math.min(CHUNK, left));
        filled = 0;
      }
    } finally {
      closeSync(fd);
    }
  }
}

function startHash(files: readonly ImageFile[]): Hash {
  return createHash('sha256').update(JSON.stringify(files.map(({ name, size }) => [name, size])));
}

/** The receiving end: files are written as their bytes come. */
export class ImageReceiver {
  private readonly hash: Hash;
  private readonly pending: ImageFile[];
  private current: { fd: number; left: number } | undefined;

  constructor(private readonly folder: string, files: readonly ImageFile[]) {
    if (new Set(files.map(({ name }) => name)).size !== files.length)
      throw new MigrunError('E_IMAGE', 'two images of one name arrive');
    this.hash = startHash(files);
    this.pending = [...files];
    this.openNext();
  }

  take(data: Buffer): void {
    this.hash.update(data);
    for (let rest = data; rest.length > 0;) {
      if (this.current === undefined) throw new MigrunError('E_IMAGE', 'more arrives than was announced');
      const piece = rest.subarray(0, this.current.left);
      writeSync(this.current.fd, piece);
      rest = rest.subarray(piece.length);
      this.current.left -= piece.length;
      if (this.current.left === 0) this.openNext();
    }
  }

  /** Throws E_IMAGE where anything is missing or altered. */
  finish(sha256: string): void {
    if (this.current !== undefined) throw new MigrunError('E_IMAGE', 'the images arrived incomplete');
    if (this.hash.digest('hex') !== sha256) throw new MigrunError('E_IMAGE', 'the images arrived altered');
  }

  close(): void {
    if (this.current !== undefined) closeSync(this.current.fd);
    this.current = undefined;
  }

  private openNext(): void {
    this.close();
    for (let file = this.pending.shift(); file !== undefined; file = this.pending.shift()) {
      const fd = openSync(join(this.folder, file.name), 'wx', 0o600);
      if (file.size > 0) {
        this.current = { fd, left: file.size };
        return;
      }
      closeSync(fd);
    }
  }
}
