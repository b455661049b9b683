import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterKeyId, generateClusterKey, readClusterKey, writeClusterKey } from '../../../src/protocol/channel';

describe('cluster key file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'migrun-key-'));
    path = join(folder, 'cluster.key');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const put = (text: string) => writeFileSync(path, text, { mode: 0o600 });

  test('is written for its owner only, and read back', () => {
    const key = generateClusterKey();
    writeClusterKey(path, key);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readClusterKey(path)).toEqual(key);
  });

  test('is never overwritten', () => {
    writeClusterKey(path);
    const before = readClusterKey(path);
    expect(() => writeClusterKey(path)).toThrow(expect.objectContaining({ code: 'E_KEY_FILE' }));
    expect(readClusterKey(path)).toEqual(before);
  });

  test('may be hex or base64, with or without a newline', () => {
    const key = generateClusterKey();
    for (const text of [key.toString('hex').toUpperCase(), key.toString('base64'), `${key.toString('base64')}\n`]) {
      put(text);
      expect(readClusterKey(path)).toEqual(key);
    }
  });

  test.each([0o640, 0o604, 0o620])('of mode %o is refused', (mode) => {
    writeClusterKey(path);
    chmodSync(path, mode);
    expect(() => readClusterKey(path)).toThrow(
      expect.objectContaining({ code: 'E_KEY_FILE', hint: expect.stringContaining('chmod 600') }),
    );
  });

  test.each(['', 'secret', 'ab'.repeat(31), 'ab'.repeat(33), 'zz'.repeat(32), `${'a'.repeat(500)}`])(
    '%j is no key',
    (text) => {
      put(text);
      expect(() => readClusterKey(path)).toThrow(expect.objectContaining({ code: 'E_KEY_FILE' }));
    },
  );

  test('that is missing says how to make one', () => {
    expect(() => readClusterKey(path)).toThrow(
      expect.objectContaining({ code: 'E_NO_KEY', hint: expect.stringContaining('migrun keygen') }),
    );
  });

  test('that is a folder is refused', () => {
    mkdirSync(path);
    expect(() => readClusterKey(path)).toThrow(expect.objectContaining({ code: 'E_KEY_FILE' }));
  });

  test('has a name of its own', () => {
    const key = generateClusterKey();
    expect(clusterKeyId(key)).toMatch(/^[0-9a-f]{16}$/);
    expect(clusterKeyId(key)).not.toBe(clusterKeyId(generateClusterKey()));
  });
});
