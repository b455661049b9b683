import { tcpStateName } from '../../src/vocabulary/sockets';

test('a state without a name keeps its number', () => {
  expect(tcpStateName(1)).toBe('ESTABLISHED');
  expect(tcpStateName(99)).toBe('state 99');
});
