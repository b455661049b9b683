import { EmptyMessages } from '../../../src/kinds/descriptors/empty-messages';

const POLLIN = 1;
const POLLOUT = 4;
const [EMPTY, NONE] = [{ hasEmpty: true }, { hasEmpty: false }];

test('what was found once is there until its queue is empty', () => {
  const messages = new EmptyMessages();
  expect(messages.has(7, NONE, POLLIN)).toBe(false);
  expect(messages.has(7, EMPTY, POLLIN | POLLOUT)).toBe(true);
  expect(messages.has(7, NONE, POLLIN | POLLOUT)).toBe(true);
  expect(messages.has(8, NONE, POLLIN)).toBe(false);
  expect(messages.has(7, NONE, POLLOUT)).toBe(false);
  expect(messages.has(7, NONE, POLLIN)).toBe(false);
});
