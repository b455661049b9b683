import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const native = join(__dirname, '..', '..', 'native');
const read = (...path: string[]) => readFileSync(join(native, ...path), 'utf8');
/** The rooms in the order of native/README.md: what a room includes stands above it. */
const rooms = [...read('README.md').matchAll(/^ {4}(\w+) +\S/gm)].map((match) => match[1]!);

/** What the files of a room include in quotation marks. */
function included(room: string): { file: string; header: string }[] {
  return readdirSync(join(native, room)).flatMap((file) =>
    [...read(room, file).matchAll(/^#include "(.+)"$/gm)].map((match) => ({ file, header: match[1]! }))
  );
}

test('every folder is a room in native/README.md, and the other way round', () => {
  const folders = readdirSync(native, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...rooms].sort()).toEqual(folders.map(({ name }) => name).sort());
});

test.each(rooms)('%s includes nothing that stands below it', (room) => {
  const below = rooms.slice(rooms.indexOf(room) + 1);
  expect(included(room).filter(({ header }) => below.includes(header.split('/')[0]!))).toEqual([]);
});

test('only registry and init know the shim', () => {
  const knowing = rooms.filter((room) => included(room).some(({ header }) => header.includes('preload/')));
  expect(knowing).toEqual(['registry', 'init']);
});

test.each(rooms.filter((room) => room !== 'addon'))('%s has a header for every source', (room) => {
  const files = readdirSync(join(native, room));
  for (const file of files) expect(existsSync(join(native, room, file.replace(/\.[ch]$/, '.h')))).toBe(true);
  for (const file of files) expect(existsSync(join(native, room, file.replace(/\.[ch]$/, '.c')))).toBe(true);
});
