import { execFileSync } from 'node:child_process';
import { closeSync, readlinkSync } from 'node:fs';
import { criuKeyOf, openTerminal } from '../../src/program/stdio';

test('is a pseudo-terminal of the size that was asked for', () => {
  const { terminal, slave } = openTerminal(33, 101);
  expect(readlinkSync(`/proc/self/fd/${terminal.master}`)).toMatch(/ptmx$/);
  expect(execFileSync('stty', ['size'], { stdio: [slave, 'pipe', 'inherit'], encoding: 'utf8' })).toBe('33 101\n');
  expect(terminal).toMatchObject({ path: readlinkSync(`/proc/self/fd/${slave}`), rows: 33, columns: 101 });
  closeSync(slave);
  closeSync(terminal.master);
});

test('has the name that CRIU gives it: what stat says, in hexadecimal', () => {
  const { terminal, slave } = openTerminal(24, 80);
  const [major, minor, device] = execFileSync('stat', ['-c', '%t %T %d', terminal.path], { encoding: 'utf8' }).trim()
    .split(' ');
  const rdev = Number.parseInt(major!, 16) * 256 + Number.parseInt(minor!, 16);
  expect(criuKeyOf(terminal)).toBe(`tty[${rdev.toString(16)}:${Number(device).toString(16)}]`);
  closeSync(slave);
  closeSync(terminal.master);
});
