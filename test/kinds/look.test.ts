import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frozen } from '../../src/kinds/kind';
import { lookAgain, needsOf, peersOf, refuse } from '../../src/kinds/look';
import { KINDS } from '../../src/kinds/table';
import { describeProcess } from '../../src/program/facts';
import { at, connected, facts, HOST, listening, processWith, refused, udpSocket } from '../support/kinds/facts';
import { modestNeeds } from '../support/migration/arrivals';

test('all reasons are given at once', () => {
  const process = processWith({ tracer: 5 }, 'anon_inode:[io_uring]', '/dev/kvm');
  const sockets = [connected({ state: 3 }), listening({ local: at('fe80::1', 80) })];
  expect(refused([process], sockets)).toEqual(['E_TRACED', 'E_IO_URING', 'E_DEVICE', 'E_TCP_STATE', 'E_ADDRESS']);
});

test('each kind is asked with what it saw', () => {
  const kind = KINDS[0]!;
  const asked = jest.spyOn(kind, 'refuse');
  refuse(facts({ seen: { [kind.name]: 17 } }));
  expect(asked).toHaveBeenCalledWith(expect.anything(), 17);
  asked.mockRestore();
});

test('a program that has nothing needs what any host could give', () => {
  const needs = needsOf(facts(), HOST);
  expect(needs).toEqual(modestNeeds({ processes: { ...(needs['processes'] as object), workingDirectories: [] } }));
});

test('peers are those of all kinds', () => {
  const [local, remote] = [at('10.0.0.1', 4884), at('10.0.0.3', 50000)];
  const sockets = [udpSocket({ local, remote }), connected({ local, remote })];
  expect(peersOf(facts({ sockets }))).toEqual([{ local, remote }, { local, remote, udp: true }]);
});

describe('a second look, at this process', () => {
  let folder: string;
  let server: ReturnType<typeof createServer>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'migrun-look-'));
    server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  const frozen = {
    innerPids: new Map([[process.pid, 2]]),
    sockets: [],
    waiting: [],
    placeOf: () => ({ innerPid: 2, fd: 0 }),
  } as unknown as Frozen;
  const looked = { cgroup: '', registry: undefined, terminal: undefined };
  const socketsIn = ({ unixSockets }: ReturnType<typeof lookAgain>) => unixSockets.own.map(({ name }) => name);

  test('takes a file for what it was, and reads what may be another', () => {
    const before = describeProcess(process.pid)!;
    const known = before.descriptors.map((one) => ({ ...one, isOld: true }));
    const now = lookAgain(facts({ processes: [{ ...before, descriptors: known }] }), frozen, looked);
    const [again] = now.processes;
    const fresh = new Set(again!.unseen!.map(({ fd }) => fd));
    expect(again!.descriptors.map(({ fd }) => fd).sort()).toEqual(before.descriptors.map(({ fd }) => fd).sort());
    for (const one of again!.descriptors) expect('isOld' in one).toBe(!fresh.has(one.fd));
    const restless = known.filter(({ target }) => /^socket:|^anon_inode:\[eventfd\]/.test(target)).map(({ fd }) => fd);
    expect(restless.length).toBeGreaterThan(0);
    expect(restless.filter((fd) => !fresh.has(fd))).toEqual([]);
    expect(socketsIn(now)).toContain(join(folder, 'socket'));
  });

  test('finds the UNIX sockets of a process that came since then as well', () => {
    const now = lookAgain(facts(), frozen, looked);
    expect(now.processes.map(({ pid }) => pid)).toEqual([process.pid]);
    expect(socketsIn(now)).toContain(join(folder, 'socket'));
    // This process may have sockets of other kinds, of other tests.
    const { inode } = now.unixSockets.own.find(({ name }) => name === join(folder, 'socket'))!;
    const { fd } = now.processes[0]!.descriptors.find(({ target }) => target === `socket:[${inode}]`)!;
    const unknown = refuse(now).filter(({ code }) => code === 'E_SOCKET_KIND').map(({ message }) => message);
    expect(unknown).not.toContainEqual(expect.stringContaining(`(descriptor ${fd})`));
  });
});
