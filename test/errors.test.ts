import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asMigrunError, MigrunError } from '../src/errors';

const root = join(__dirname, '..');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return path.endsWith('.ts') ? [readFileSync(path, 'utf8')] : [];
  });
}

const used = new Set(sources(join(root, 'src')).flatMap((text) => text.match(/(?<=['"])E_[A-Z_]+(?=['"])/g) ?? []));
const rows = readFileSync(join(root, 'docs', 'errors.md'), 'utf8').match(/^\| `E_[^\n]*$/gm) ?? [];
const documented = rows.map((row) => /^\| `(E_[A-Z_]+)` \|/.exec(row)?.[1]);

describe('docs/errors.md', () => {
  test('has every code that src/ uses', () => {
    expect([...used].filter((code) => !documented.includes(code))).toEqual([]);
  });

  test('has no code that src/ does not use', () => {
    expect(documented.filter((code) => code === undefined || !used.has(code))).toEqual([]);
  });

  test('has each once, with what it means and what to do', () => {
    expect(new Set(documented).size).toBe(documented.length);
    for (const row of rows) expect(row).toMatch(/^\| `E_[A-Z_]+` \| [^|]+\. \| [^|]+[.?] \|$/);
  });
});

test('a MigrunError keeps what caused it', () => {
  const cause = new Error('ENOENT');
  expect(new MigrunError('E_FILE', 'no file', { cause })).toMatchObject({
    name: 'MigrunError',
    code: 'E_FILE',
    message: 'no file',
    hint: undefined,
    cause,
  });
  expect('cause' in new MigrunError('E_FILE', 'no file')).toBe(false);
});

describe('asMigrunError', () => {
  test('leaves one as it is', () => {
    const error = new MigrunError('E_BUSY', 'not now');
    expect(asMigrunError(error)).toBe(error);
  });

  test.each([[new RangeError('too far'), 'too far'], ['text', 'text'], [undefined, 'undefined']])(
    'makes a defect of %p',
    (thrown, message) => {
      expect(asMigrunError(thrown)).toMatchObject({ code: 'E_INTERNAL', message });
    },
  );
});
