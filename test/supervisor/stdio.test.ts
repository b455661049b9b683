/** All three streams of a program at a terminal. */
import { execFileSync } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { openTerminal } from '../../src/program/stdio';
import { Stdio } from '../../src/supervisor/stdio';
import { freshStdioState } from '../../src/supervisor/stdio';
import { unacknowledgedIn, usePiped } from '../support/supervisor/piped-program';
import { until } from '../support/until';

const piped = usePiped();

describe('a terminal', () => {
  function terminal() {
    const opened = openTerminal(24, 80);
    const stdio = new Stdio({ kind: 'terminal', terminal: opened.terminal }, freshStdioState(), () => undefined);
    return { ...opened, stdio };
  }

  test('has one output, and takes input', async () => {
    const { stdio, slave } = terminal();
    writeSync(slave, 'hello\n');
    await until(() => unacknowledgedIn(stdio.outputs.stdout) === 'hello\r\n');
    expect(stdio.outputs.stderr.ended).toBe(true);
    stdio.input.write(Buffer.from('a line\n'), 0);
    await until(() => stdio.input.received === 7);
    expect(execFileSync('head', ['-n', '1'], { stdio: [slave, 'pipe', 'inherit'], encoding: 'utf8' })).toBe('a line\n');
    closeSync(slave);
    await until(() => stdio.ended);
    stdio.close();
  });

  test('is resized, and knows it', () => {
    const { stdio, slave, terminal: known } = terminal();
    const size = () => execFileSync('stty', ['size'], { stdio: [slave, 'pipe', 'inherit'], encoding: 'utf8' }).trim();
    expect(size()).toBe('24 80');
    stdio.resize(50, 132);
    expect(size()).toBe('50 132');
    expect(known).toMatchObject({ rows: 50, columns: 132 });
    closeSync(slave);
    stdio.close();
  });

  test('frozen, leaves what the program prints where it is', async () => {
    const { stdio, slave } = terminal();
    const other = piped();
    writeSync(slave, 'before');
    await until(() => unacknowledgedIn(stdio.outputs.stdout) === 'before');
    stdio.freeze();
    writeSync(slave, ' after');
    await other.settle();
    expect(unacknowledgedIn(stdio.outputs.stdout)).toBe('before');
    stdio.thaw();
    await until(() => unacknowledgedIn(stdio.outputs.stdout) === 'before after');
    closeSync(slave);
    stdio.close();
  });
});
