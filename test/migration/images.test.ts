import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ImageFile, ImageReceiver, listImages, readImages, sendImages } from '../../src/migration/images';
import { serve, type SupervisorMessage, supervisorMessage } from '../../src/protocol/control';
import { type ChannelPair, channelPair } from '../support/migration/arrivals';

const MEBIBYTE = 1024 * 1024;

let base: string;
let from: string;
let to: string;
let pair: ChannelPair;
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'migrun-images-'));
  from = join(base, 'from');
  to = join(base, 'to');
  mkdirSync(from);
  mkdirSync(to);
  pair = await channelPair();
});
afterEach(() => {
  pair.close();
  rmSync(base, { recursive: true });
});

/** Sends, and waits until it has arrived, whole. */
async function send(): Promise<number> {
  const { bytes, received } = await sendImages(pair.source, listImages(from), readImages(from));
  await received;
  return bytes;
}

function write(files: Record<string, Buffer>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(from, name), content);
}

/** Takes what comes as a target does; `alter` changes data on its way. */
function receive(alter: (data: Buffer) => Buffer = (data) => data): void {
  let receiver: ImageReceiver | undefined;
  const handle = ({ message }: { message: SupervisorMessage }): Promise<SupervisorMessage | undefined> => {
    if (message.type === 'images') receiver = new ImageReceiver(to, message.files);
    if (message.type !== 'received') return Promise.resolve(undefined);
    receiver?.finish(message.sha256);
    return Promise.resolve({ type: 'done' });
  };
  void serve(
    pair.target,
    async (incoming) => (await handle(incoming)) as SupervisorMessage,
    (data) => receiver?.take(alter(data)),
  );
}

describe('over a channel', () => {
  test('a folder arrives as it is: empty files, small ones, and one of many frames', async () => {
    const files = {
      'inventory.img': randomBytes(31),
      'core-1.img': randomBytes(1200),
      'empty.img': Buffer.alloc(0),
      'pages-1.img': randomBytes(3 * MEBIBYTE + 17),
      'also-empty.img': Buffer.alloc(0),
      'pages-2.img': randomBytes(2 * MEBIBYTE),
    };
    write(files);
    receive();
    const sent = await send();
    expect(sent).toBe(Object.values(files).reduce((sum, { length }) => sum + length, 0));
    expect(readdirSync(to).sort()).toEqual(Object.keys(files).sort());
    for (const [name, content] of Object.entries(files))
      expect(readFileSync(join(to, name)).equals(content)).toBe(true);
  });

  test('only their owner can read what arrived', async () => {
    write({ 'pages-1.img': randomBytes(100), 'empty.img': Buffer.alloc(0) });
    receive();
    await send();
    for (const name of readdirSync(to)) expect(statSync(join(to, name)).mode & 0o777).toBe(0o600);
  });

  test('an empty folder arrives', async () => {
    receive();
    expect(await send()).toBe(0);
    expect(readdirSync(to)).toEqual([]);
  });

  test("CRIU's logs and statistics stay", async () => {
    write({
      'criu.log': Buffer.from('log'),
      'criu.stderr': Buffer.from('err'),
      'stats-dump': Buffer.from('s'),
      'core-1.img': Buffer.from('core'),
    });
    receive();
    await send();
    expect(readdirSync(to)).toEqual(['core-1.img']);
    expect(listImages(from)).toEqual([{ name: 'core-1.img', size: 4 }]);
  });

  test('one altered bit is found', async () => {
    write({ 'core-1.img': randomBytes(5000) });
    receive((data) => {
      const altered = Buffer.from(data);
      altered[4321]! ^= 1;
      return altered;
    });
    await expect(send()).rejects.toMatchObject({ code: 'E_IMAGE' });
  });

  test('a piece that got lost is found', async () => {
    write({ 'core-1.img': randomBytes(5000) });
    receive((data) => data.subarray(0, data.length - 1));
    await expect(send()).rejects.toMatchObject({ code: 'E_IMAGE' });
  });
});

describe('ImageReceiver', () => {
  const receivers: ImageReceiver[] = [];
  afterEach(() => {
    for (const receiver of receivers.splice(0)) receiver.close();
  });

  function receiver(files: ImageFile[]): ImageReceiver {
    const made = new ImageReceiver(to, files);
    receivers.push(made);
    return made;
  }

  /** The hash that a source would announce. */
  function hashOf(files: ImageFile[], content: string): string {
    return createHash('sha256').update(JSON.stringify(files.map(({ name, size }) => [name, size]))).update(content)
      .digest('hex');
  }

  const refused = expect.objectContaining({ code: 'E_IMAGE' }) as Error;

  test('the pieces need not end where the files do', () => {
    const files = [{ name: 'a', size: 3 }, { name: 'b', size: 4 }];
    const taker = receiver(files);
    for (const piece of ['ab', 'cde', 'fg']) taker.take(Buffer.from(piece));
    taker.finish(hashOf(files, 'abcdefg'));
    expect(readFileSync(join(to, 'a'), 'latin1')).toBe('abc');
    expect(readFileSync(join(to, 'b'), 'latin1')).toBe('defg');
  });

  test('the names and sizes are part of the hash', () => {
    const announced = [{ name: 'a', size: 3 }, { name: 'b', size: 4 }];
    const taker = receiver([{ name: 'a', size: 4 }, { name: 'b', size: 3 }]);
    taker.take(Buffer.from('abcdefg'));
    expect(() => taker.finish(hashOf(announced, 'abcdefg'))).toThrow(refused);
  });

  test('less than was announced is refused', () => {
    const files = [{ name: 'a', size: 3 }];
    const taker = receiver(files);
    taker.take(Buffer.from('ab'));
    expect(() => taker.finish(hashOf(files, 'ab'))).toThrow(refused);
  });

  test('more than was announced is refused', () => {
    const taker = receiver([{ name: 'a', size: 3 }]);
    expect(() => taker.take(Buffer.from('abcd'))).toThrow(refused);
    expect(readFileSync(join(to, 'a'), 'latin1')).toBe('abc');
  });

  test('data where only empty files were announced is refused', () => {
    const taker = receiver([{ name: 'a', size: 0 }]);
    expect(() => taker.take(Buffer.from('a'))).toThrow(refused);
  });

  test('two images of one name are refused before anything is written', () => {
    expect(() => receiver([{ name: 'a', size: 1 }, { name: 'a', size: 1 }])).toThrow(refused);
    expect(readdirSync(to)).toEqual([]);
  });

  test('nothing that is there is written over', () => {
    writeFileSync(join(to, 'a'), 'mine');
    expect(() => receiver([{ name: 'a', size: 1 }])).toThrow(expect.objectContaining({ code: 'EEXIST' }) as Error);
    expect(readFileSync(join(to, 'a'), 'latin1')).toBe('mine');
  });
});

describe('names that a source may announce', () => {
  const announcing = (name: string) =>
    supervisorMessage.safeParse({ type: 'images', rehearsal: false, files: [{ name, size: 1 }] }).success;

  test.each(['core-1.img', 'pagemap-shmem-2.img', 'migrun-state', 'stats_x', 'a'])('%s', (name) => {
    expect(announcing(name)).toBe(true);
  });

  test.each(['', '.', '..', '../key', '/etc/passwd', 'a/b', '.hidden', '-x', 'a\0b', 'a\nb', 'a b', 'ü',
    'a'.repeat(65)])('not %j', (name) => {
      expect(announcing(name)).toBe(false);
    });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('nor a size of %d', (size) => {
    expect(supervisorMessage.safeParse({ type: 'images', rehearsal: false, files: [{ name: 'a', size }] }).success)
      .toBe(false);
  });
});
