import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileLocks } from '../../../src/kinds/descriptors/file-locks';
import { facts, HOST, judged, opened, processWith } from '../../support/kinds/facts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-locks-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the target must have those free that the program has locked, each once', () => {
  const details = { lock: '1: FLOCK  ADVISORY  WRITE 502 00:2f:17 0 EOF' };
  const descriptors = [opened(3, '/srv/locked', { details }), opened(4, '/srv/locked', { details }),
    opened(5, '/srv/free')];
  expect(fileLocks.needs!.of(facts({ processes: [processWith({ descriptors })] }), undefined, HOST)).toEqual([
    '/srv/locked',
  ]);
});

test('a lock that somebody has', async () => {
  const path = join(folder, 'locked');
  writeFileSync(path, '');
  expect(await judged(fileLocks, [path])).toEqual([]);
  const holder = spawn('flock', [path, 'sh', '-c', 'echo ready; read end']);
  await once(holder.stdout, 'data');
  expect(await judged(fileLocks, [path])).toEqual([{
    code: 'E_FILE_LOCK',
    message: expect.stringContaining(path) as string,
  }]);
  holder.stdin.end();
  await once(holder, 'close');
});
