import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { compile } from '../../support/compile.js';

// Every case runs in a process of its own.
const program = compile(['test/native/programs/epoll_edges.c', 'native/epoll/', 'native/kernel/'], [
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
]);
const names = execFileSync(program.path, ['list'], { encoding: 'utf8' }).trim().split('\n');

afterAll(() => program.remove());

test.each(names)('%s', async (name) => {
  await expect(promisify(execFile)(program.path, [name], { env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } }))
    .resolves.toBeDefined();
});
