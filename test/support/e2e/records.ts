import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file of numbered records (test/fixtures/records.h). */
export interface RecordsFile {
  readonly count: number;
  /** Who wrote them, and whose child or thread that was: "writer owner", each once. */
  readonly writers: readonly string[];
}

/** A folder for one test file's records; it goes away after its tests. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'migrun-records-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Throws where a record is not where it belongs, or not whole. */
export function readRecords(folder: string, name: string): RecordsFile {
  const text = readFileSync(join(folder, name), 'latin1');
  const records = text.split('\n');
  if (records.pop() !== '') throw new Error(`${name} ends within a record`);
  const writers = new Set<string>();
  records.forEach((record, index) => {
    const [, number, writer, owner] = /^(\d{11}) (\d{9}) (\d{9})$/.exec(record) ?? [];
    if (Number(number) !== index) throw new Error(`${name} has "${record}" where record ${index} belongs`);
    writers.add(`${Number(writer)} ${Number(owner)}`);
  });
  return { count: records.length, writers: [...writers] };
}
