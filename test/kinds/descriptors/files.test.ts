import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { files } from '../../../src/kinds/descriptors/files';
import { refuse } from '../../../src/kinds/look';
import { codesOf, connected, facts, HOST, judged, opened, processWith, refused } from '../../support/kinds/facts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

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
  const [reason, ...others] = refuse(facts({ processes: [processWith({}, '/dev/null', target)] }));
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
  expect(refused([processWith({}, ...carried, ...others)], [])).toEqual([]);
});

test('an inet socket among the descriptors is judged as a socket', () => {
  expect(refused([processWith({}, 'socket:[77]')], [connected({ inode: 77 })])).toEqual([]);
  expect(refused([processWith({}, 'socket:[78]')], [connected({ inode: 77 })])).toEqual(['E_SOCKET_KIND']);
});

test("the program's own terminal moves", () => {
  const process = processWith({}, '/dev/pts/7', '/dev/pts/7');
  const terminal = { master: 9, rows: 24, columns: 80 };
  expect(refused([process], [], { terminal: { ...terminal, path: '/dev/pts/7' } })).toEqual([]);
  expect(refused([process], [], { terminal: { ...terminal, path: '/dev/pts/8' } })).toEqual(['E_DEVICE', 'E_DEVICE']);
});

test('of a program that was looked at before, only what is new is judged again', () => {
  const [known, fresh] = [{ fd: 3, target: '/dev/kvm' }, { fd: 4, target: '/dev/fuse' }];
  const reasons = refuse(facts({ processes: [processWith({ descriptors: [known, fresh], unseen: [fresh] })] }));
  expect(reasons).toEqual([{ code: 'E_DEVICE', message: expect.stringContaining('/dev/fuse') as string }]);
});

test('the target must have what is open under a path, each path once', () => {
  const [reader, writer, log] = [0, 1, 0o2001];
  const descriptors = [
    opened(3, '/srv/data', { flags: reader }),
    opened(4, '/srv/data', { flags: writer }),
    opened(5, '/srv/log', { flags: log }),
    opened(6, '/srv/gone (deleted)', { links: 0 }),
    opened(7, '/dev/null', { mode: 0o020666 }),
    opened(8, '/dev/shm/area'),
    opened(9, '/memfd:cache (deleted)'),
    opened(10, 'pipe:[12]', { mode: 0o010600, filesystem: undefined }),
  ];
  expect(files.needs!.of(facts({ processes: [processWith({ descriptors })] }), undefined, HOST)).toEqual([
    { path: '/srv/data', mode: 0o100644, size: 7, grows: true },
    { path: '/srv/log', mode: 0o100644, size: null, grows: true },
    { path: '/dev/shm/area', mode: 0o100644, size: 7, grows: false },
  ]);
});

test('a file must be there, with its mode and its size, unless that does not count', async () => {
  const path = join(folder, 'opened');
  writeFileSync(path, 'x'.repeat(8));
  chmodSync(path, 0o644);
  const wanted = { path, mode: 0o100644, size: 8, grows: false };
  const codes = async (change: object): Promise<string[]> => codesOf(await judged(files, [{ ...wanted, ...change }]));
  expect([await codes({}), await codes({ size: null }), await codes({ size: 7, grows: true })]).toEqual([[], [], []]);
  expect([await codes({ path: `${path}.none` }), await codes({ mode: 0o100600 }), await codes({ size: 7 }),
    await codes({ size: 9, grows: true })]).toEqual([['E_FILE'], ['E_FILE'], ['E_FILE'], ['E_FILE']]);
});
