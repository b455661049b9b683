import { connectionName, connectionText, endpointText, isReceivedAt, onTheWire,
  otherSide } from '../../src/vocabulary/endpoint';

const at = (address: string, port = 5000) => ({ address, port });

test.each([
  [at('10.0.0.1'), '10.0.0.1:5000'],
  [at('fd00::1'), '[fd00::1]:5000'],
  [at('::ffff:10.0.0.1'), '[::ffff:10.0.0.1]:5000'],
])('an endpoint in words: %j', (endpoint, text) => {
  expect(endpointText(endpoint)).toBe(text);
});

test('a connection in words is told as its socket has it, and UDP is told', () => {
  const ends = { local: at('10.0.0.1', 1), remote: at('10.0.0.2', 2) };
  expect(connectionText(ends)).toBe('10.0.0.1:1 - 10.0.0.2:2');
  expect(connectionText({ ...ends, udp: true })).toBe('10.0.0.1:1 - 10.0.0.2:2 (UDP)');
});

test('one name for both ways of writing, and the other end has it the other way round', () => {
  const seen = { local: at('127.0.0.1', 40000), remote: at('::ffff:127.0.0.1') };
  const mapped = { local: at('::ffff:127.0.0.1', 40000), remote: at('127.0.0.1') };
  expect(connectionName(seen)).toBe(connectionName(mapped));
  expect(connectionName(seen)).not.toBe(connectionName(otherSide(seen)));
  expect(connectionName(otherSide(otherSide(seen)))).toBe(connectionName(seen));
});

test('TCP and UDP between the same ends have two names', () => {
  const ends = { local: at('10.0.0.1', 1), remote: at('10.0.0.2', 2) };
  expect(connectionName(ends)).not.toBe(connectionName({ ...ends, udp: true }));
  expect(onTheWire({ ...ends, udp: true }).udp).toBe(true);
});

test('what is sent to an address is received where one is bound to it, or to any', () => {
  const bound = [at('127.0.0.1', 1), at('0.0.0.0', 2), at('::', 3)];
  expect(
    [at('127.0.0.1', 1), at('::ffff:127.0.0.1', 1), at('10.0.0.1', 2), at('fd00::1', 3)].map((one) =>
      isReceivedAt(one, bound)
    ),
  ).toEqual([true, true, true, true]);
  expect([at('10.0.0.1', 1), at('127.0.0.1', 4)].map((one) => isReceivedAt(one, bound))).toEqual([false, false]);
});
