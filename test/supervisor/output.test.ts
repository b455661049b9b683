/** What a program prints: its positions, what waits for an acknowledgement, and what a freeze leaves in the pipe. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshStdioState } from '../../src/supervisor/stdio';
import { Listener, type PipedProgram, unacknowledgedIn, usePiped } from '../support/supervisor/piped-program';
import { until } from '../support/until';

const MAX_UNACKNOWLEDGED = 256 * 1024;
const MAX_WITHOUT_CONSOLE = 1024 * 1024;
const ONE_READ = 64 * 1024;
const PIPE_CAPACITY = 64 * 1024;

const piped = usePiped();

describe('output', () => {
  test('comes with its position, and stays until it is acknowledged', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    program.print('hello');
    await until(() => console.text === 'hello');
    program.print(' world');
    await until(() => console.text === 'hello world');
    expect(console.pieces.at(-1)).toEqual({ position: 5, data: ' world' });
    expect(stdout.delivered).toBe(false);

    stdout.acknowledge(8);
    expect(unacknowledgedIn(stdout)).toBe('rld');
    expect(stdout.state().acknowledged).toBe(8);
    stdout.acknowledge(11);
    expect(stdout.delivered).toBe(true);
  });

  test('an acknowledgement of what is past, or of what was never sent, changes nothing', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    program.print('hello');
    await until(() => console.text === 'hello');
    stdout.acknowledge(3);
    for (const position of [3, 1, 0, -1, 6, 1e9]) stdout.acknowledge(position);
    expect(stdout.state()).toMatchObject({ acknowledged: 3 });
    expect(unacknowledgedIn(stdout)).toBe('lo');
  });

  test('of both kinds keeps to its own positions', async () => {
    const program = piped();
    const { stdout, stderr } = program.stdio.outputs;
    program.print('out');
    program.print('error', 'stderr');
    await until(() => unacknowledgedIn(stdout) === 'out' && unacknowledgedIn(stderr) === 'error');
  });

  test('an attached console gets what it has not seen, and nothing twice', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const first = new Listener(stdout);
    program.print('hello');
    await until(() => first.text === 'hello');
    stdout.detach();
    program.print(' world');
    await until(() => unacknowledgedIn(stdout) === 'hello world');
    expect(first.text).toBe('hello');

    const second = new Listener(stdout, 5);
    expect(second.pieces).toEqual([{ position: 5, data: ' world' }]);
  });

  test('a console that attaches after the end gets all, and then the end', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    program.print('last words');
    program.endOutput('stdout');
    await until(() => stdout.ended);
    const console = new Listener(stdout);
    expect(console).toMatchObject({ text: 'last words', ends: 1 });
  });

  test('the end comes once, after all the data', async () => {
    const program = piped();
    const console = new Listener(program.stdio.outputs.stdout);
    program.print('x'.repeat(50_000));
    program.endOutput('stdout');
    await until(() => console.ends > 0);
    expect(console).toMatchObject({ ends: 1, text: 'x'.repeat(50_000) });
    expect(program.stdio.ended).toBe(false);
    program.endOutput('stderr');
    await until(() => program.stdio.ended);
  });

  test("what a console is slow to acknowledge makes the program wait, and does not fill the host's memory", async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    const total = 2 * 1024 * 1024;
    const printed = program.printFrom('head', ['-c', String(total), '/dev/zero']);
    await until(() => stdout.state().unacknowledged.length >= MAX_UNACKNOWLEDGED);
    await program.settle();
    expect(stdout.state().unacknowledged.length).toBeLessThan(MAX_UNACKNOWLEDGED + ONE_READ);

    const { pieces } = console;
    const onData = stdout.onData!;
    stdout.onData = (data, position) => {
      onData(data, position);
      setImmediate(() => stdout.acknowledge(position + data.length));
    };
    stdout.acknowledge(pieces.at(-1)!.position + pieces.at(-1)!.data.length);
    await printed;
    await until(() => stdout.state().acknowledged === total);
  });

  test('without a console the newest megabyte stays, and the program does not wait', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'migrun-stdio-'));
    try {
      const content = randomBytes(3 * 1024 * 1024 + 333);
      writeFileSync(join(folder, 'content'), content);
      const program = piped();
      const { stdout } = program.stdio.outputs;
      const attached = new Listener(stdout);
      stdout.detach();
      await program.printFrom('cat', [join(folder, 'content')]);
      await until(() => stdout.state().acknowledged + stdout.state().unacknowledged.length === content.length);
      const { acknowledged, unacknowledged } = stdout.state();
      expect(unacknowledged.length).toBeLessThanOrEqual(MAX_WITHOUT_CONSOLE);
      expect(unacknowledged.length).toBeGreaterThan(MAX_WITHOUT_CONSOLE - ONE_READ);
      expect(content.subarray(acknowledged).equals(unacknowledged)).toBe(true);
      expect(attached.pieces).toEqual([]);
      // A console that has seen less than what was dropped goes on with what there is.
      expect(new Listener(stdout, 10).pieces[0]?.position).toBe(acknowledged);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('goes on at the positions it arrived with', async () => {
    const unacknowledged = new Uint8Array(Buffer.from('abc'));
    const program = piped({ ...freshStdioState(), stdout: { acknowledged: 100, unacknowledged, ended: false } });
    const console = new Listener(program.stdio.outputs.stdout, 101);
    program.print('def');
    await until(() => console.text === 'bcdef');
    expect(console.pieces).toEqual([{ position: 101, data: 'bc' }, { position: 103, data: 'def' }]);
  });

  test('that had ended there has ended here', () => {
    const ended = { acknowledged: 9, unacknowledged: new Uint8Array(), ended: true };
    const program = piped({ ...freshStdioState(), stdout: ended, stderr: ended });
    expect(program.stdio.ended).toBe(true);
    expect(new Listener(program.stdio.outputs.stdout, 9).ends).toBe(1);
  });
});

describe('frozen output', () => {
  /** Frozen after it has been read from: a stream that is merely paused goes on filling its buffer then. */
  async function frozen(): Promise<PipedProgram> {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    program.print('before');
    await until(() => unacknowledgedIn(stdout) === 'before');
    stdout.freeze();
    return program;
  }

  test('leaves every byte in the pipe, where the dump finds it', async () => {
    const program = await frozen();
    const later = randomBytes(PIPE_CAPACITY);
    program.print(later);
    await program.settle();
    expect(unacknowledgedIn(program.stdio.outputs.stdout)).toBe('before');
    expect(program.takeUnread().equals(later)).toBe(true);
  });

  test('neither a console that comes nor an acknowledgement makes it read', async () => {
    const program = await frozen();
    const { stdout } = program.stdio.outputs;
    program.print('after');
    stdout.attach(0);
    stdout.acknowledge(6);
    stdout.detach();
    await program.settle();
    expect(program.takeUnread().toString()).toBe('after');
  });

  test('goes on where it was when it is released', async () => {
    const program = await frozen();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    program.print(' and after');
    await program.settle();
    program.stdio.thaw();
    await until(() => console.text === 'before and after');
  });

  test('is held for as long as it takes, however much is asked in between', async () => {
    const program = await frozen();
    for (let round = 0; round < 3; round++) {
      program.stdio.thaw();
      program.stdio.freeze();
    }
    program.stdio.outputs.stderr.thaw();
    program.print('after');
    await program.settle();
    expect(program.takeUnread().toString()).toBe('after');
  });
});
