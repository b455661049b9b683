import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasEnded } from '../../src/program/processes';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

test.each(['ENOENT', 'ESRCH'])('%s is the word of a process that has ended', (code) => {
  expect(hasEnded(failure(code), process.pid)).toBe(true);
});

test('EACCES is, if the process is not there', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  expect(hasEnded(failure('EACCES'), child.pid!)).toBe(true);
  expect(hasEnded(failure('EACCES'), process.pid)).toBe(false);
});

test('anything else is a failure', () => {
  expect(hasEnded(failure('EIO'), process.pid)).toBe(false);
});
