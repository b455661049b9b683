import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ArrivalRecord, makeInitDirectory, type ProgramRecord, Records } from '../../src/program/record';

const ID = '1a2b3c4d';
const about = { id: ID, group: 'a'.repeat(32), command: ['sleep', '1'], startedAt: 1 };
const program: ProgramRecord = {
  identity: { ...about, token: 'b'.repeat(32) },
  cgroup: '/sys/fs/cgroup/migrun/1a2b3c4d',
  terminal: false,
  console: 'here',
  leaving: null,
};
const arrival: ArrivalRecord = {
  program: about,
  migration: 'c'.repeat(32),
  cgroup: '/sys/fs/cgroup/migrun/1a2b3c4d-cccccccc',
};

let folder: string;
let records: Records;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'migrun-records-')), 'programs');
  records = new Records(folder);
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

test('what was written is read by the next process', () => {
  records.writeProgram(program);
  records.writeArrival(arrival);
  expect(new Records(folder).program(ID)).toEqual(program);
  expect(new Records(folder).arrival(ID)).toEqual(arrival);
});

test('only its owner can read it: it has the token of the console', () => {
  records.writeProgram(program);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

test('a program is known by any record of it, once', () => {
  expect(records.has(ID)).toBe(false);
  records.writeArrival(arrival);
  records.writeProgram(program);
  expect(records.ids()).toEqual([ID]);
  records.removeProgram(ID);
  expect(records.has(ID)).toBe(true);
  records.removeArrival(ID);
  expect(records.ids()).toEqual([]);
});

test('a record stays as long as its cgroup is there, the directory of its init with the last of them', () => {
  const cgroup = join(folder, 'cgroup');
  mkdirSync(cgroup);
  const initDirectory = makeInitDirectory(ID);
  records.writeProgram({ ...program, cgroup });
  records.writeArrival(arrival);
  records.removeGone(ID);
  expect(records.program(ID)).toMatchObject({ cgroup });
  expect(records.arrival(ID)).toBeUndefined();
  expect(existsSync(initDirectory)).toBe(true);
  rmSync(cgroup, { recursive: true });
  records.removeGone(ID);
  expect(records.has(ID)).toBe(false);
  expect(existsSync(initDirectory)).toBe(false);
});

test('control sockets and half-written records are not records', () => {
  for (const name of [`${ID}.sock`, `.${ID}.json`]) writeFileSync(join(folder, name), '');
  expect(records.ids()).toEqual([]);
  expect(records.program(ID)).toBeUndefined();
});

test('a record is replaced as a whole', () => {
  records.writeProgram(program);
  records.writeProgram({ ...program, leaving: 'd'.repeat(32) });
  expect(records.program(ID)?.leaving).toBe('d'.repeat(32));
  expect(readdirSync(folder)).toEqual([`${ID}.json`]);
});
