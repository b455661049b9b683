import { isConnecting, isConnection, reasonsAgainst, type RuledProcess,
  type RuledSocket } from '../../src/migration/rules';
import { isLocal } from '../../src/vocabulary/endpoint';
import { connectionText, endpointText } from '../../src/vocabulary/endpoint';
import { tcpStateName } from '../../src/vocabulary/sockets';

const NAMESPACES = { net: 'net:[1]', mnt: 'mnt:[2]', pid: 'pid:[3]' };
const CONTEXT = {
  namespaces: NAMESPACES,
  terminal: undefined,
  addresses: new Set(['10.0.0.1', 'fd00::1']),
  unix: [],
  innerPids: new Map([[502, 2]]),
};

function processWith(change: Partial<RuledProcess> = {}, ...targets: string[]): RuledProcess {
  const descriptors = targets.map((target, fd) => ({ fd, target }));
  return { pid: 502, innerPid: 2, name: 'server', descriptors, namespaces: NAMESPACES, tracer: 0, ...change };
}

function connected(change: Partial<RuledSocket> = {}): RuledSocket {
  return {
    inode: 77,
    pid: 502,
    pfd: 5,
    type: 1,
    protocol: 6,
    state: 1,
    local: { address: '10.0.0.1', port: 4884 },
    remote: { address: '10.0.0.3', port: 50000 },
    obstacles: [],
    ...change,
  };
}

function listening(change: Partial<RuledSocket> = {}): RuledSocket {
  return connected({
    state: 10,
    local: { address: '0.0.0.0', port: 4884 },
    remote: { address: '0.0.0.0', port: 0 },
    ...change,
  });
}

const codesOf = (
  processes: RuledProcess[],
  sockets: RuledSocket[],
  context: Parameters<typeof reasonsAgainst>[2] = CONTEXT,
) => reasonsAgainst(processes, sockets, context).map(({ code }) => code);

describe('descriptors', () => {
  test.each([
    ['an io_uring', 'anon_inode:[io_uring]', 'E_IO_URING'],
    ['a perf event', 'anon_inode:[perf_event]', 'E_DESCRIPTOR'],
    ['a userfaultfd', 'anon_inode:[userfaultfd]', 'E_DESCRIPTOR'],
    ['a fanotify group', 'anon_inode:[fanotify]', 'E_DESCRIPTOR'],
    ['a kind that nobody knows yet', 'anon_inode:[quantum]', 'E_DESCRIPTOR'],
    ['a kind whose name has no brackets', 'anon_inode:quantum', 'E_DESCRIPTOR'],
    ['a device', '/dev/kvm', 'E_DEVICE'],
    ["another terminal than the program's", '/dev/pts/7', 'E_DEVICE'],
    ['a socket that is no inet socket', 'socket:[4711]', 'E_SOCKET_KIND'],
  ])('%s is refused', (_what, target, code) => {
    const [reason, ...others] = reasonsAgainst([processWith({}, '/dev/null', target)], [], CONTEXT);
    expect(others).toEqual([]);
    expect(reason?.code).toBe(code);
    expect(reason?.message).toMatch(/^process 2 \(server\) has .* \(descriptor 1\)$/);
  });

  test('what CRIU carries is not in the way', () => {
    const carried = ['eventfd', 'eventpoll', 'timerfd', 'signalfd', 'inotify', 'pidfd'].map((name) =>
      `anon_inode:[${name}]`
    );
    const others = ['anon_inode:inotify', 'pipe:[12]', '/srv/data', '/srv/data (deleted)', '/memfd:cache (deleted)',
      '/dev/shm/area', '/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'];
    expect(codesOf([processWith({}, ...carried, ...others)], [])).toEqual([]);
  });

  test('an inet socket among the descriptors is judged as a socket', () => {
    expect(codesOf([processWith({}, 'socket:[77]')], [connected({ inode: 77 })])).toEqual([]);
    expect(codesOf([processWith({}, 'socket:[78]')], [connected({ inode: 77 })])).toEqual(['E_SOCKET_KIND']);
  });

  test("the program's own terminal moves", () => {
    const process = processWith({}, '/dev/pts/7', '/dev/pts/7');
    expect(codesOf([process], [], { ...CONTEXT, terminal: '/dev/pts/7' })).toEqual([]);
    expect(codesOf([process], [], { ...CONTEXT, terminal: '/dev/pts/8' })).toEqual(['E_DEVICE', 'E_DEVICE']);
  });
});

describe('processes', () => {
  test('one that is traced is refused', () => {
    const [reason] = reasonsAgainst([processWith({ tracer: 901 })], [], CONTEXT);
    expect(reason).toEqual({ code: 'E_TRACED', message: expect.stringContaining('process 901') as string });
  });

  test('one in a namespace of its own is refused, once for each', () => {
    const elsewhere = { ...NAMESPACES, net: 'net:[9]', mnt: 'mnt:[9]' };
    const reasons = reasonsAgainst([processWith({ namespaces: elsewhere })], [], CONTEXT);
    expect(reasons.map(({ code }) => code)).toEqual(['E_NAMESPACE', 'E_NAMESPACE']);
    expect(reasons[0]?.message).toContain('net namespace');
    expect(reasons[1]?.message).toContain('mnt namespace');
  });

  test("the PID namespace is the pod's", () => {
    expect(codesOf([processWith({ namespaces: { ...NAMESPACES, pid: 'pid:[9]' } })], [])).toEqual([]);
  });
});

describe('sockets', () => {
  test.each([1, 4, 5, 8, 9, 11])('a connection in state %i is carried as one', (state) => {
    expect(isConnection(connected({ state }))).toBe(true);
    expect(codesOf([], [connected({ state })])).toEqual([]);
  });

  test.each([3, 6, 12])('a connection in state %i waits until that has passed', (state) => {
    expect(isConnection(connected({ state }))).toBe(false);
    const [reason] = reasonsAgainst([], [connected({ state })], CONTEXT);
    expect(reason).toEqual({ code: 'E_TCP_STATE', message: expect.stringContaining(tcpStateName(state)) as string });
  });

  test('a connect in progress is carried, and is no connection yet', () => {
    const socket = connected({ state: 2 });
    expect(codesOf([], [socket])).toEqual([]);
    expect([isConnection(socket), isConnecting(socket)]).toEqual([false, true]);
    expect(codesOf([], [connected({ state: 2, remote: { address: '127.0.0.1', port: 80 } })])).toEqual([
      'E_LOCAL_CONNECTION',
    ]);
  });

  test('a connect in progress to a socket of the program itself is carried', () => {
    const socket = connected({
      state: 2,
      local: { address: '127.0.0.1', port: 9 },
      remote: { address: '127.0.0.1', port: 80 },
    });
    expect(codesOf([], [socket, listening({ local: { address: '0.0.0.0', port: 80 } })])).toEqual([]);
    expect(codesOf([], [socket, listening({ local: { address: '0.0.0.0', port: 81 } })])).toEqual([
      'E_LOCAL_CONNECTION',
    ]);
  });

  test('a closed one is carried, and is no connection', () => {
    expect(codesOf([], [connected({ state: 7, remote: { address: '0.0.0.0', port: 0 } })])).toEqual([]);
    expect(isConnection(connected({ state: 7 }))).toBe(false);
  });

  test.each([
    ['UDP-Lite', { type: 2, protocol: 136, state: 0 }],
    ['a ping socket', { type: 2, protocol: 1, state: 0 }],
    ['MPTCP', { type: 1, protocol: 262 }],
    ['raw', { type: 3, protocol: 1 }],
  ])('%s does not move yet', (_name, change) => {
    expect(codesOf([], [connected(change)])).toEqual(['E_SOCKET_KIND']);
  });

  test('each is told by its name', () => {
    const [reason] = reasonsAgainst([], [connected({ type: 1, protocol: 132 })], CONTEXT);
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
    const [reason, ...others] = reasonsAgainst([], [connected({ obstacles: [obstacle] })], CONTEXT);
    expect(reason).toEqual({
      code,
      message: expect.stringMatching(/^10\.0\.0\.1:4884 - 10\.0\.0\.3:50000 \(descriptor 5 of process 2\) /) as string,
    });
    expect(others).toEqual([]);
  });

  test('one with an obstacle that nobody has accepted is told without a process', () => {
    const [reason] = reasonsAgainst([], [connected({ pid: -1, pfd: -1, obstacles: ['urgent-data'] })], CONTEXT);
    expect(reason?.message).toMatch(/^10\.0\.0\.1:4884 - 10\.0\.0\.3:50000 has /);
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1', '::1', 'fd00::1'])('listening on %s moves', (address) => {
    expect(codesOf([], [listening({ local: { address, port: 80 } })])).toEqual([]);
  });

  test('a link-local address is refused', () => {
    expect(codesOf([], [listening({ local: { address: 'fe80::1', port: 80 } })])).toEqual(['E_ADDRESS']);
    expect(
      codesOf([], [connected({ local: { address: 'fe80::1', port: 80 }, remote: { address: 'fe80::2', port: 90 } })]),
    ).toEqual(['E_ADDRESS']);
  });

  test.each([
    ['loopback', '127.0.0.1', '127.0.0.1'],
    ['another loopback address', '127.0.0.1', '127.0.0.9'],
    ['IPv6 loopback', '::1', '::1'],
    ['mapped loopback', '::ffff:127.0.0.1', '::ffff:127.0.0.2'],
    ["the host's own address", '10.0.0.1', '10.0.0.1'],
  ])('a connection over %s stays on one host', (_name, local, remote) => {
    const socket = connected({ local: { address: local, port: 1 }, remote: { address: remote, port: 2 } });
    expect(isLocal(socket)).toBe(true);
    expect(codesOf([], [socket])).toEqual([]);
  });
});

test('all reasons are given at once', () => {
  const process = processWith({ tracer: 5 }, 'anon_inode:[io_uring]', '/dev/kvm');
  const sockets = [connected({ state: 3 }), listening({ local: { address: 'fe80::1', port: 80 } })];
  expect(codesOf([process], sockets)).toEqual(['E_TRACED', 'E_IO_URING', 'E_DEVICE', 'E_TCP_STATE', 'E_ADDRESS']);
});

describe('texts', () => {
  test('an IPv6 address is set apart from its port', () => {
    expect(endpointText({ address: 'fd00::1', port: 80 })).toBe('[fd00::1]:80');
    expect(connectionText(connected())).toBe('10.0.0.1:4884 - 10.0.0.3:50000');
  });

  test('a state without a name keeps its number', () => {
    expect(tcpStateName(1)).toBe('ESTABLISHED');
    expect(tcpStateName(99)).toBe('state 99');
  });
});
