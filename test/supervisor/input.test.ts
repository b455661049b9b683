/** What is typed, until it is in the program's pipe. */
import { randomBytes } from 'node:crypto';
import { freshStdioState } from '../../src/supervisor/stdio';
import { type PipedProgram, usePiped } from '../support/supervisor/piped-program';
import { until } from '../support/until';

const PIPE_CAPACITY = 64 * 1024;
const PIECE = 4096;

const piped = usePiped();

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
    input.freeze();
    const inPipe = program.readInput().data;
    expect(inPipe.equals(all.subarray(0, PIPE_CAPACITY))).toBe(true);
    expect(program.stdio.state().received % PIECE).toBe(0);

    const taken = [inPipe];
    input.thaw();
    await until(() => {
      taken.push(program.readInput().data);
      return input.received === all.length;
    });
    taken.push(program.readInput().data);
    expect(Buffer.concat(taken).equals(all)).toBe(true);
  });

  test('waits while it is frozen', async () => {
    const program = piped();
    const { input } = program.stdio;
    input.freeze();
    input.write(Buffer.from('hello'), 0);
    input.end();
    await program.settle();
    expect(program.readInput()).toEqual({ data: Buffer.alloc(0), ended: false });
    expect(input.received).toBe(0);
    input.thaw();
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
