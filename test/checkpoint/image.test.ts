import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveSize } from '../../src/checkpoint/layout';
import { FORMAT_VERSION, type Manifest } from '../../src/checkpoint/manifest';
import { imageChunks, readImage } from '../../src/checkpoint/read-image';
import { encodeSecrets, sealSecrets } from '../../src/checkpoint/secrets';
import { writeImage } from '../../src/checkpoint/write-image';
import { practiceState } from '../../src/migration/state';
import { clusterKeyId } from '../../src/protocol/channel';
import { Random } from '../support/inband/random';
import { modestArrival } from '../support/migration/arrivals';

const KEY = randomBytes(32);
const CHECKPOINT = 'c'.repeat(32);
const IMAGES = { 'core-1.img': randomBytes(700), 'empty.img': Buffer.alloc(0), 'pages-1.img': randomBytes(200_000) };
const CONTENT = Buffer.concat(Object.values(IMAGES));
/** Every code that a reader may give. */
const REFUSALS = ['FILE', 'FORMAT', 'VERSION', 'KEY', 'TRUNCATED', 'ALTERED'].map((what) => `E_CHECKPOINT_${what}`);

const refused = (code: string): Error => expect.objectContaining({ code: `E_CHECKPOINT_${code}` }) as Error;

let folder: string;
let path: string;

async function make(file: string, change: Readonly<Record<string, unknown>> = {}): Promise<number> {
  const images = join(folder, 'images');
  rmSync(images, { recursive: true, force: true });
  mkdirSync(images);
  for (const [name, content] of Object.entries(IMAGES)) writeFileSync(join(images, name), content);
  writeFileSync(file, '');
  const secrets = sealSecrets(KEY, CHECKPOINT, encodeSecrets({ arrival: modestArrival(), state: practiceState() }));
  return writeImage(
    file,
    images,
    secrets,
    KEY,
    (files) => ({
      format: 'migrun checkpoint',
      version: FORMAT_VERSION,
      migrun: '0.1.0',
      key: clusterKeyId(KEY),
      checkpoint: CHECKPOINT,
      createdAt: new Date(0).toISOString(),
      heldUntil: null,
      host: 'hostA',
      kernel: '6.18',
      architecture: 'x64',
      cpuFlags: [],
      program: { id: '1a2b3c4d', command: ['./server'], startedAt: 0 },
      terminal: false,
      processes: [],
      sockets: [],
      files,
      ...(change as Partial<Manifest>),
    }),
  );
}

async function contentOf(file: string): Promise<Buffer> {
  const image = await readImage(file, KEY);
  const chunks: Buffer[] = [];
  for await (const chunk of imageChunks(image, KEY)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-image-'));
  path = join(folder, 'whole');
  await make(path);
});

afterAll(() => rmSync(folder, { recursive: true }));

test('what was written is read, and is as long as its parts say', async () => {
  const image = await readImage(path, KEY);
  expect(image).toMatchObject({ arrival: modestArrival(), state: practiceState() });
  const { manifest } = image;
  expect(manifest.files.map(({ name }) => name).sort()).toEqual(['migrun-secrets', ...Object.keys(IMAGES)].sort());
  expect((await contentOf(path)).equals(CONTENT)).toBe(true);
  const sizes = manifest.files.map(({ size }) => size);
  const manifestSize = Buffer.byteLength(`${JSON.stringify(manifest, null, 1)}\n`);
  expect(statSync(path).size).toBe(archiveSize([manifestSize, 64, ...sizes]));
});

test('nothing secret is in it', () => {
  const bytes = readFileSync(path);
  expect(bytes.includes(practiceState().tickets[0]!.ticket.key)).toBe(false);
  expect(bytes.includes(KEY)).toBe(false);
});

describe('is refused, and said why, where it', () => {
  const other = (): string => join(folder, 'other');

  test('is not there, or no file', async () => {
    await expect(readImage(join(folder, 'none'), KEY)).rejects.toThrow(refused('FILE'));
    await expect(readImage(folder, KEY)).rejects.toThrow(refused('FILE'));
  });

  test.each([['text', Buffer.from('what is this')], ['zeros', Buffer.alloc(4096)], ['noise', randomBytes(4096)]])(
    'is something else: %s',
    async (_what, content) => {
      writeFileSync(other(), content);
      await expect(readImage(other(), KEY)).rejects.toThrow(refused('FORMAT'));
    },
  );

  test('was made with another key', async () => {
    await expect(readImage(path, randomBytes(32))).rejects.toThrow(refused('KEY'));
  });

  test('has a newer format', async () => {
    await make(other(), { version: FORMAT_VERSION + 1 });
    await expect(readImage(other(), KEY)).rejects.toThrow(refused('VERSION'));
  });

  test('has format 1, which had connections, listening sockets and UDP apart', async () => {
    expect(FORMAT_VERSION).toBe(2);
    await make(other(), { version: 1, sockets: undefined, connections: [], listeners: [], udp: [] });
    const error = await readImage(other(), KEY).catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'E_CHECKPOINT_VERSION',
      message: `${other()} has format 1, and this migrun reads 2`,
    });
  });

  test('has secrets that were sealed for another one', async () => {
    await make(other(), { checkpoint: 'd'.repeat(32) });
    await expect(readImage(other(), KEY)).rejects.toThrow(refused('ALTERED'));
  });

  test('has more in it than it says', async () => {
    writeFileSync(other(), Buffer.concat([readFileSync(path), Buffer.alloc(512)]));
    await expect(readImage(other(), KEY)).rejects.toThrow(refused('ALTERED'));
  });

  test('ends anywhere before its end', async () => {
    const random = new Random(1);
    const size = statSync(path).size;
    for (
      const length of [0, 1, 100, 511, 512, 513, 1024, size - 1024, size - 512, size - 1,
        ...Array.from({ length: 40 }, () => random.below(size))]
    ) {
      writeFileSync(other(), readFileSync(path));
      truncateSync(other(), length);
      await expect(readImage(other(), KEY)).rejects.toThrow(refused('TRUNCATED'));
    }
  });
});

test('whatever is done to it: it is refused, or what is read is what was written', async () => {
  const random = new Random(7);
  const whole = readFileSync(path);
  const file = join(folder, 'fuzzed');
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(whole);
    mutate(bytes, random);
    writeFileSync(file, bytes);
    const outcome = await contentOf(file).then(
      (content) => (content.equals(CONTENT) ? 'same' : 'different'),
      ({ code }: { code: string }) => code,
    );
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // What is between the files of an archive, to fill its blocks, says nothing.
  expect(['same', ...REFUSALS]).toEqual(expect.arrayContaining([...outcomes.keys()]));
  expect(outcomes.get('E_CHECKPOINT_ALTERED')).toBeGreaterThan(100);
});

/** A bit, some bytes, or a block in another's place; mostly near the start, where the manifest is. */
function mutate(bytes: Buffer, random: Random): void {
  const within = random.below(2) === 0 ? 8192 : bytes.length;
  const at = random.below(within);
  switch (random.below(3)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return;
    case 1:
      random.bytes(1 + random.below(40)).copy(bytes, at);
      return;
    default: {
      const block = (offset: number): number => offset - (offset % 512);
      bytes.copyWithin(
        block(at),
        block(random.below(bytes.length - 512)),
        block(random.below(bytes.length - 512)) + 512,
      );
    }
  }
}
