/** What waits in the queues of UNIX sockets whose program stands still. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { native } from '../../../src/native/index.js';

let ends: [number, number];

beforeEach(() => {
  ends = native.seqpacketPair();
});

afterEach(() => ends.forEach((fd) => closeSync(fd)));

const sent = (...messages: string[]) => messages.forEach((message) => writeSync(ends[1], Buffer.from(message)));
const POLLIN = 1;
const look = () => native.unixLookAtQueue(ends[0]);

function received(): string[] {
  const bytes = Buffer.alloc(100);
  const messages: string[] = [];
  while ((native.pollEvents(ends[0]) & POLLIN) !== 0)
    messages.push(bytes.toString('utf8', 0, readSync(ends[0], bytes)));
  return messages;
}

test('a queue without messages, and one without empty ones, have none', () => {
  expect(look()).toEqual({ hasEmpty: false, fds: [] });
  sent('one', 'two');
  expect(look()).toEqual({ hasEmpty: false, fds: [] });
  expect(received()).toEqual(['one', 'two']);
});

test.each([[['']], [['one', '', 'three']], [['', '', 'three']]])(
  '%j has an empty one, and all are there afterwards',
  (messages) => {
    sent(...messages);
    expect(look().hasEmpty).toBe(true);
    expect(received()).toEqual(messages);
    expect(look().hasEmpty).toBe(false);
  },
);

test('empty ones alone are found as often as one looks', () => {
  sent('', '');
  for (let looks = 0; looks < 3; looks++) expect(look().hasEmpty).toBe(true);
  expect(received()).toEqual(['', '']);
});

test('an end that the other side has closed is no message', () => {
  closeSync(ends[1]);
  ends[1] = openSync('/dev/null', 'r');
  expect(look().hasEmpty).toBe(false);
});
