import { refuse } from '../../../src/kinds/look';
import { connected, facts, processWith, refused } from '../../support/kinds/facts';

const processes = [processWith()];

test.each([
  ['UDP-Lite', { type: 2, protocol: 136, state: 0 }],
  ['a ping socket', { type: 2, protocol: 1, state: 0 }],
  ['MPTCP', { type: 1, protocol: 262 }],
  ['raw', { type: 3, protocol: 1 }],
])('%s does not move yet', (_name, change) => {
  expect(refused([], [connected(change)])).toEqual(['E_SOCKET_KIND']);
});

test('each is told by its name', () => {
  const [reason] = refuse(facts({ sockets: [connected({ type: 1, protocol: 132 })] }));
  expect(reason?.message).toContain('SCTP');
});

test.each(
  [
    ['ebpf-filter', 'E_SOCKET_FILTER'],
    ['locked-filter', 'E_SOCKET_FILTER'],
    ['upper-layer', 'E_TCP_ULP'],
    ['authentication', 'E_TCP_KEYS'],
    ['urgent-data', 'E_URGENT_DATA'],
    ['zerocopy', 'E_ERROR_QUEUE'],
    ['error-queue', 'E_ERROR_QUEUE'],
    ['interface', 'E_SOCKET_OPTION'],
    ['extension-headers', 'E_SOCKET_OPTION'],
    ['fast-open', 'E_TCP_STATE'],
    ['ended', 'E_TCP_STATE'],
    ['group-program', 'E_SOCKET_FILTER'],
    ['multicast-index', 'E_SOCKET_OPTION'],
    ['multicast-stream', 'E_SOCKET_OPTION'],
    ['fragment-size', 'E_SOCKET_OPTION'],
    ['packet-info', 'E_SOCKET_OPTION'],
    ['flow-label', 'E_SOCKET_OPTION'],
    ['anycast', 'E_SOCKET_OPTION'],
    ['policy', 'E_SOCKET_OPTION'],
    ['zerocopy-numbers', 'E_SOCKET_OPTION'],
    ['timestamp-numbers', 'E_SOCKET_OPTION'],
    ['saved-syn', 'E_SOCKET_OPTION'],
  ] as const,
)('one with %s is refused by its name', (obstacle, code) => {
  const [reason, ...others] = refuse(facts({ processes, sockets: [connected({ obstacles: [obstacle] })] }));
  expect(reason).toEqual({
    code,
    message: expect.stringMatching(/^10\.0\.0\.1:4884 - 10\.0\.0\.3:50000 \(descriptor 5 of process 2\) /) as string,
  });
  expect(others).toEqual([]);
});

test('one with an obstacle that nobody has accepted is told without a process', () => {
  const sockets = [connected({ pid: -1, pfd: -1, obstacles: ['urgent-data'] })];
  const [reason] = refuse(facts({ processes, sockets }));
  expect(reason?.message).toMatch(/^10\.0\.0\.1:4884 - 10\.0\.0\.3:50000 has /);
});
