import { closeSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTerminal } from '../../src/program/terminal';
import type { Output } from '../../src/supervisor/output';
import { Stdio } from '../../src/supervisor/stdio';
import { freshStdioState } from '../../src/supervisor/stdio-state';
import { until } from '../native/support/until';
import { PipedProgram } from './support';

const KEPT_ATTACHED = 256 * 1024;
const KEPT_DETACHED = 1024 * 1024;
const ONE_READ = 64 * 1024;
const PIPE_CAPACITY = 64 * 1024;
const PIECE = 4096;

const programs: PipedProgram[] = [];
afterEach(() => {
  for (const program of programs.splice(0)) program.close();
});

function piped(state = freshStdioState()): PipedProgram {
  const program = new PipedProgram(state);
  programs.push(program);
  return program;
}

/** A console that notes what it gets and where it belongs. */
class Listener {
  readonly pieces: { position: number; data: string }[] = [];
  ends = 0;

  constructor(
    readonly output: Output,
    position = 0,
  ) {
    output.onData = (data, at) => this.pieces.push({ position: at, data: data.toString('latin1') });
    output.onEnd = () => this.ends++;
    output.attach(position);
  }

  get text(): string {
    return this.pieces.map(({ data }) => data).join('');
  }
}

const keptOf = (output: Output) => Buffer.from(output.state().kept).toString('latin1');

describe('output', () => {
  test('comes with its position, and is kept until it is acknowledged', async () => {
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
    expect(keptOf(stdout)).toBe('rld');
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
    expect(keptOf(stdout)).toBe('lo');
  });

  test('of both kinds keeps to its own positions', async () => {
    const program = piped();
    const { stdout, stderr } = program.stdio.outputs;
    program.print('out');
    program.print('error', 'stderr');
    await until(() => keptOf(stdout) === 'out' && keptOf(stderr) === 'error');
  });

  test('an attached console gets what it has not seen, and nothing twice', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const first = new Listener(stdout);
    program.print('hello');
    await until(() => first.text === 'hello');
    stdout.detach();
    program.print(' world');
    await until(() => keptOf(stdout) === 'hello world');
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

  test('what a console is slow to acknowledge holds the program up, and not the host\'s memory', async () => {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    const total = 2 * 1024 * 1024;
    const printed = program.printFrom('head', ['-c', String(total), '/dev/zero']);
    await until(() => stdout.state().kept.length >= KEPT_ATTACHED);
    await program.settle();
    expect(stdout.state().kept.length).toBeLessThan(KEPT_ATTACHED + ONE_READ);

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

  test('without a console the newest megabyte is kept, and the program is not held up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'migrun-stdio-'));
    try {
      const content = randomBytes(3 * 1024 * 1024 + 333);
      writeFileSync(join(folder, 'content'), content);
      const program = piped();
      const { stdout } = program.stdio.outputs;
      const attached = new Listener(stdout);
      stdout.detach();
      await program.printFrom('cat', [join(folder, 'content')]);
      await until(() => stdout.state().acknowledged + stdout.state().kept.length === content.length);
      const { acknowledged, kept } = stdout.state();
      expect(kept.length).toBeLessThanOrEqual(KEPT_DETACHED);
      expect(kept.length).toBeGreaterThan(KEPT_DETACHED - ONE_READ);
      expect(content.subarray(acknowledged).equals(kept)).toBe(true);
      expect(attached.pieces).toEqual([]);
      // A console that has seen less than what was dropped goes on with what there is.
      expect(new Listener(stdout, 10).pieces[0]?.position).toBe(acknowledged);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('goes on at the positions it arrived with', async () => {
    const kept = new Uint8Array(Buffer.from('abc'));
    const program = piped({ ...freshStdioState(), stdout: { acknowledged: 100, kept, ended: false } });
    const console = new Listener(program.stdio.outputs.stdout, 101);
    program.print('def');
    await until(() => console.text === 'bcdef');
    expect(console.pieces).toEqual([{ position: 101, data: 'bc' }, { position: 103, data: 'def' }]);
  });

  test('that had ended there has ended here', () => {
    const ended = { acknowledged: 9, kept: new Uint8Array(), ended: true };
    const program = piped({ ...freshStdioState(), stdout: ended, stderr: ended });
    expect(program.stdio.ended).toBe(true);
    expect(new Listener(program.stdio.outputs.stdout, 9).ends).toBe(1);
  });
});

describe('held output', () => {
  /** Held, after it has been read from: a stream that is merely paused goes on filling its buffer then. */
  async function held(): Promise<PipedProgram> {
    const program = piped();
    const { stdout } = program.stdio.outputs;
    program.print('before');
    await until(() => keptOf(stdout) === 'before');
    stdout.hold();
    return program;
  }

  test('leaves every byte in the pipe, where the dump finds it', async () => {
    const program = await held();
    const later = randomBytes(PIPE_CAPACITY);
    program.print(later);
    await program.settle();
    expect(keptOf(program.stdio.outputs.stdout)).toBe('before');
    expect(program.takeUnread().equals(later)).toBe(true);
  });

  test('neither a console that comes nor an acknowledgement makes it read', async () => {
    const program = await held();
    const { stdout } = program.stdio.outputs;
    program.print('after');
    stdout.attach(0);
    stdout.acknowledge(6);
    stdout.detach();
    await program.settle();
    expect(program.takeUnread().toString()).toBe('after');
  });

  test('goes on where it was when it is released', async () => {
    const program = await held();
    const { stdout } = program.stdio.outputs;
    const console = new Listener(stdout);
    program.print(' and after');
    await program.settle();
    program.stdio.release();
    await until(() => console.text === 'before and after');
  });

  test('is held for as long as it takes, however much is asked in between', async () => {
    const program = await held();
    for (let round = 0; round < 3; round++) {
      program.stdio.release();
      program.stdio.hold();
    }
    program.stdio.outputs.stderr.release();
    program.print('after');
    await program.settle();
    expect(program.takeUnread().toString()).toBe('after');
  });
});

describe('input', () => {
  const textIn = (program: PipedProgram) => program.readInput().data.toString('latin1');

  test('reaches the program, and counts from then on', async () => {
    const program = piped();
    const { input } = program.stdio;
    const told: number[] = [];
    input.onReceived = (position) => told.push(position);
    input.write(Buffer.from('hello'), 0);
    await until(() => input.received === 5);
    expect(textIn(program)).toBe('hello');
    expect(told).toEqual([5]);
  });

  test('sent again is not given again', async () => {
    const program = piped();
    const { input } = program.stdio;
    input.write(Buffer.from('hello'), 0);
    input.write(Buffer.from('hello wor'), 0);
    await until(() => input.received === 9);
    input.write(Buffer.from('hello world'), 0);
    input.write(Buffer.from('rld'), 8);
    await until(() => input.received === 11);
    expect(textIn(program)).toBe('hello world');
  });

  test('goes in pieces that are in the pipe whole or not at all: what counts is what is there', async () => {
    const program = piped();
    const { input } = program.stdio;
    const all = randomBytes(3 * PIPE_CAPACITY);
    input.write(all, 0);
    await until(() => input.received === PIPE_CAPACITY);
    await program.settle();
    expect(input.received).toBe(PIPE_CAPACITY);
    input.hold();
    const inPipe = program.readInput().data;
    expect(inPipe.equals(all.subarray(0, PIPE_CAPACITY))).toBe(true);
    expect(program.stdio.state().received % PIECE).toBe(0);

    const taken = [inPipe];
    input.release();
    await until(() => {
      taken.push(program.readInput().data);
      return input.received === all.length;
    });
    taken.push(program.readInput().data);
    expect(Buffer.concat(taken).equals(all)).toBe(true);
  });

  test('is kept back while it is held', async () => {
    const program = piped();
    const { input } = program.stdio;
    input.hold();
    input.write(Buffer.from('hello'), 0);
    input.end();
    await program.settle();
    expect(program.readInput()).toEqual({ data: Buffer.alloc(0), ended: false });
    expect(input.received).toBe(0);
    input.release();
    await until(() => input.received === 5 && program.farEndsClosed === 1);
    expect(program.readInput()).toEqual({ data: Buffer.from('hello'), ended: true });
  });

  test('its end comes after all of it, and asks init to close its end too', async () => {
    const program = piped();
    const { input } = program.stdio;
    const all = randomBytes(2 * PIPE_CAPACITY);
    input.write(all, 0);
    input.end();
    expect(program.farEndsClosed).toBe(0);
    const taken: Buffer[] = [];
    let ended = false;
    await until(() => {
      const read = program.readInput();
      taken.push(read.data);
      ended = read.ended;
      return ended;
    });
    expect(Buffer.concat(taken).equals(all)).toBe(true);
    expect(program.farEndsClosed).toBe(1);
    expect(program.stdio.state()).toMatchObject({ received: all.length, inputEnded: true });
  });

  test('a program that closed its stdin keeps nobody waiting', async () => {
    const program = piped();
    const { input } = program.stdio;
    program.closeInput();
    let told = 0;
    input.onReceived = () => told++;
    input.write(Buffer.alloc(3 * PIECE), 0);
    await until(() => told === 3);
    expect(input.received).toBe(0);
  });

  test('goes on at the position it arrived with', async () => {
    const program = piped({ ...freshStdioState(), received: 6 });
    program.stdio.input.write(Buffer.from('hello world'), 0);
    await until(() => program.stdio.input.received === 11);
    expect(textIn(program)).toBe('world');
  });
});

describe('a terminal', () => {
  function terminal() {
    const opened = openTerminal(24, 80);
    const stdio = new Stdio({ kind: 'terminal', terminal: opened.terminal }, freshStdioState(), () => undefined);
    return { ...opened, stdio };
  }

  test('has one output, and takes input', async () => {
    const { stdio, slave } = terminal();
    writeSync(slave, 'hello\n');
    await until(() => keptOf(stdio.outputs.stdout) === 'hello\r\n');
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

  test('held, leaves what the program prints where it is', async () => {
    const { stdio, slave } = terminal();
    const other = piped();
    writeSync(slave, 'before');
    await until(() => keptOf(stdio.outputs.stdout) === 'before');
    stdio.hold();
    writeSync(slave, ' after');
    await other.settle();
    expect(keptOf(stdio.outputs.stdout)).toBe('before');
    stdio.release();
    await until(() => keptOf(stdio.outputs.stdout) === 'before after');
    closeSync(slave);
    stdio.close();
  });
});
