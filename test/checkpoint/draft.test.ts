/** The last step but one of a checkpoint: its draft gets its name, where nobody has that name. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { nameDraft, renameUnseen } from '../../src/checkpoint/draft';

const log = pino({ level: 'silent' });
const REFUSED = { code: 'E_CHECKPOINT_FILE' };

let folder: string;
let draft: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-draft-'));
  [draft, file] = [join(folder, '.image.draft'), join(folder, 'image')];
  writeFileSync(draft, 'the image');
});

afterEach(() => rmSync(folder, { recursive: true }));

function expectUntouched(content = 'precious'): void {
  expect(readdirSync(folder).sort()).toEqual(['.image.draft', 'image']);
  expect(readFileSync(draft, 'utf8')).toBe('the image');
  expect(readFileSync(file, 'utf8')).toBe(content);
}

/** Also as where the kernel cannot do it at once. */
const WAYS = [{ how: 'at once', rename: undefined }, { how: 'having looked', rename: renameUnseen }];

describe.each(WAYS)('a draft that gets its name $how', ({ rename }) => {
  test('is the image', async () => {
    const { ino } = statSync(draft);
    await nameDraft(draft, file, log, rename);
    expect(readdirSync(folder)).toEqual(['image']);
    expect(statSync(file).ino).toBe(ino);
  });

  test('replaces no file', async () => {
    writeFileSync(file, 'precious');
    await expect(nameDraft(draft, file, log, rename)).rejects.toMatchObject(REFUSED);
    expectUntouched();
  });

  test('replaces none that appears while it gets there', async () => {
    const named = nameDraft(draft, file, log, rename);
    writeFileSync(file, 'precious');
    await expect(named).rejects.toMatchObject(REFUSED);
    expectUntouched();
  });
});

test('one that appears after a look at whether it is there, or that no look shows, is not replaced either', async () => {
  symlinkSync(join(folder, 'nowhere'), file);
  await expect(nameDraft(draft, file, log)).rejects.toMatchObject(REFUSED);
  writeFileSync(join(folder, 'nowhere'), 'precious');
  expect(readFileSync(file, 'utf8')).toBe('precious');
  expect(readFileSync(draft, 'utf8')).toBe('the image');
});
