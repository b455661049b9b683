'use strict';

/**
 * A folder of the product is a room: it has at most 16 source files, those of the folders below it not counted, and no
 * file is named "utils", which says nothing of what is in it. Prints each that is otherwise, and ends with 1 then.
 */

const { readdirSync } = require('node:fs');
const { join, parse, resolve } = require('node:path');

const ROOMS = ['preload', 'native', 'src'];
const SOURCES = ['.c', '.cc', '.h', '.ts'];
const LIMIT = 16;

const repo = resolve(__dirname, '../..');

/** What is wrong with a folder and with those below it. */
function faults(folder) {
  const entries = readdirSync(join(repo, folder), { withFileTypes: true });
  const sources = entries.filter((entry) => entry.isFile() && SOURCES.includes(parse(entry.name).ext));
  return [
    ...(sources.length > LIMIT
      ? [`${folder} has ${sources.length} source files, and at most ${LIMIT} are a room`]
      : []),
    ...sources.filter(({ name }) => /^utils?$/i.test(parse(name).name)).map(({ name }) =>
      `${folder}/${name} has a name that says nothing`
    ),
    ...entries.filter((entry) => entry.isDirectory()).flatMap(({ name }) => faults(join(folder, name))),
  ];
}

const found = ROOMS.flatMap(faults);
for (const fault of found) process.stderr.write(`rooms: ${fault}\n`);
process.exitCode = found.length > 0 ? 1 : 0;
