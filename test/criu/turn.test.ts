import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { DumpTurn } from '../../src/criu/turn';

const log = pino({ enabled: false });
let directory: string;
let left: string;
let program: ChildProcess;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'migrun-turn-'));
  left = join(directory, 'proc.crtools');
  program = spawn('cat', { cwd: directory, stdio: ['pipe', 'ignore', 'inherit'] });
});
afterEach(async () => {
  program.stdin!.end();
  await once(program, 'exit');
  rmSync(directory, { recursive: true });
});

const take = (): Promise<DumpTurn> => DumpTurn.take(program.pid!, log);

test('is waited for', async () => {
  const order: string[] = [];
  const first = await take();
  const second = take().then((turn) => (order.push('the second has it'), turn));
  const third = await DumpTurn.take(process.pid, log); // in another directory
  third.end();
  order.push('the first ends');
  first.end();
  (await second).end();
  expect(order).toEqual(['the first ends', 'the second has it']);
});

test('what a killed dump has left is removed', async () => {
  mkdirSync(left);
  utimesSync(left, 0, 0);
  (await take()).end();
  expect(existsSync(left)).toBe(false);
});

test('one that may be in use stays', async () => {
  mkdirSync(left);
  (await take()).end();
  expect(existsSync(left)).toBe(true);
});

test('what is no dump\'s stays', async () => {
  mkdirSync(left);
  writeFileSync(join(left, 'file'), '');
  utimesSync(left, 0, 0);
  (await take()).end();
  expect(existsSync(join(left, 'file'))).toBe(true);
});

test('in a directory that is gone', async () => {
  const gone = mkdtempSync(join(tmpdir(), 'migrun-turn-'));
  const there = spawn('cat', { cwd: gone, stdio: ['pipe', 'ignore', 'inherit'] });
  await once(there, 'spawn');
  rmSync(gone, { recursive: true });
  (await DumpTurn.take(there.pid!, log)).end();
  there.stdin.end();
  await once(there, 'exit');
});

test('without flock(1) whoever comes has it', async () => {
  const turns = [await DumpTurn.take(program.pid!, log, join(directory, 'flock')), await take()];
  for (const turn of turns) turn.end();
});
