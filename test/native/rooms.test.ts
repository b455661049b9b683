import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import { repo } from '../support/repo';

/** A file of a room, by its path below the house. */
interface Included {
  readonly file: string;
  readonly header: string;
}

/** What the files of a room include in quotation marks. A header is looked for beside the file first, as compilers do. */
function included(house: string, room: string): Included[] {
  const files = readdirSync(join(repo, house, room), { recursive: true, encoding: 'utf8' });
  return files.filter((name) => /\.(c|cc|h)$/.test(name)).flatMap((name) => {
    const file = join(room, name);
    const text = readFileSync(join(repo, house, file), 'utf8');
    return [...text.matchAll(/^#include "(.+)"$/gm)].map(([, header = '']) => {
      const beside = join(dirname(file), header);
      return { file, header: normalize(existsSync(join(repo, house, beside)) ? beside : header) };
    });
  });
}

/** The rooms in the order in which the house's own text has them: what a room includes stands above it. */
function listed(house: string, text: string): string[] {
  const lines = readFileSync(join(repo, house, text), 'utf8').matchAll(/^(?: \*)? {4,5}(\w+) {2,}\S/gm);
  return [...lines].map((match) => match[1]!);
}

const native = listed('native', 'README.md');
const houses = [{ house: 'native', rooms: native }, { house: 'preload', rooms: listed('preload', 'shim.h') }];

test.each(houses)('every folder of $house is a room in its list, and the other way round', ({ house, rooms }) => {
  const folders = readdirSync(join(repo, house), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...rooms].sort()).toEqual(folders.map(({ name }) => name).sort());
});

test.each(houses.flatMap(({ house, rooms }) => rooms.map((room) => ({ house, rooms, room }))))(
  '$house/$room includes nothing that stands below it',
  ({ house, rooms, room }) => {
    const below = rooms.slice(rooms.indexOf(room) + 1);
    const first = ({ header }: Included) => header.split('/')[0]!;
    expect(included(house, room).filter((one) => below.includes(first(one)))).toEqual([]);
  },
);

test('what is for all rooms of preload includes none of them', () => {
  expect(included('preload', '.').filter(({ file }) => file === 'shim.h' || file === 'calls.h')).toEqual([
    { file: 'shim.h', header: 'calls.h' },
    { file: 'shim.h', header: 'calls.h' },
  ]);
});

test('only registry and init of native know the shim', () => {
  const knowing = native.filter((room) => included('native', room).some(({ header }) => header.includes('preload/')));
  expect(knowing).toEqual(['registry', 'init']);
});

test.each(native.filter((room) => room !== 'addon'))('native/%s has a header for every source', (room) => {
  const files = readdirSync(join(repo, 'native', room));
  for (const file of files) expect(existsSync(join(repo, 'native', room, file.replace(/\.[ch]$/, '.h')))).toBe(true);
  for (const file of files) expect(existsSync(join(repo, 'native', room, file.replace(/\.[ch]$/, '.c')))).toBe(true);
});
