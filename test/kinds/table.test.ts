import { decode, encode } from '@msgpack/msgpack';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../../src/kinds/table';
import { supervisorMessage } from '../../src/protocol/control';
import { modestArrival, modestNeeds } from '../support/migration/arrivals';

const travelling = KINDS.flatMap(({ name, saved }) => (saved === undefined ? [] : [{ name, saved }]));

test('no two kinds have the same name', () => {
  expect(new Set(KINDS.map(({ name }) => name)).size).toBe(KINDS.length);
});

test('edges are looked at before the accept queues are emptied, and settled when these are full again', () => {
  const names = KINDS.map(({ name }) => name);
  expect(names.indexOf('epoll')).toBeLessThan(names.indexOf('accept-queues'));
});

test.each(KINDS.map(({ name }) => name))('%s is a name that the wire takes', (name) => {
  expect(name).toMatch(/^[a-z][a-z-]*$/);
  const message = { type: 'arrive', arrival: modestArrival({ needs: { [name]: 'something' } }) };
  expect(supervisorMessage.parse(decode(encode(message)))).toEqual(message);
});

test.each(travelling)('what $name has for practice is what it takes, also from the wire', ({ saved }) => {
  expect(saved.schema.parse(saved.practice)).toEqual(saved.practice);
  expect(saved.schema.parse(decode(encode(saved.practice)))).toEqual(saved.practice);
});

test('what a modest program needs is there of every kind, and in its form', () => {
  const needing = KINDS.flatMap(({ name, needs }) => (needs === undefined ? [] : [{ name, needs }]));
  expect(Object.keys(modestNeeds()).sort()).toEqual(needing.map(({ name }) => name).sort());
  for (const { name, needs } of needing) expect(needs.schema.parse(modestNeeds()[name])).toEqual(modestNeeds()[name]);
});

test('docs/kinds.md has a row for each, in the order of the table', () => {
  const rows = readFileSync(join(__dirname, '..', '..', 'docs', 'kinds.md'), 'utf8').matchAll(/^\| `([\w-]+)` \|/gm);
  expect([...rows].map(([, name]) => name)).toEqual(KINDS.map(({ name }) => name));
});
