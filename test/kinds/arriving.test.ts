import { ArrivingKinds, judge } from '../../src/kinds/arriving';
import { NewAddresses } from '../../src/kinds/ends';
import type { ArrivingProgram } from '../../src/kinds/kind';
import { practiceByKind, type SavedByKind, savedPeers } from '../../src/kinds/saved';
import { native } from '../../src/native';
import type { Endpoint } from '../../src/vocabulary/endpoint';
import { at, HOST } from '../support/kinds/facts';
import { modestNeeds } from '../support/migration/arrivals';

/** The kernel is left out: what else is called of the addon is a mistake. */
jest.mock(
  '../../src/native/index',
  () => ({
    native: Object.fromEntries(
      ['socketBind', 'tcpRevive', 'udpRevive', 'socketWriteOptions', 'acceptQueueFill', 'gateDropResets', 'closeFd',
        'socketUnlock', 'socketLock', 'tcpRelease', 'tcpUnsave', 'diagConnectionInodes', 'socketRouteSource',
        'socketDescribe'].map((name) => [name, jest.fn()]),
    ),
  }),
);
const kernel = jest.mocked(native);

const RESETS_DROPPED = 99;

let calls: string[];
beforeEach(() => {
  jest.resetAllMocks();
  calls = [];
  for (const name of ['socketBind', 'tcpRevive', 'socketWriteOptions', 'acceptQueueFill'] as const)
    kernel[name].mockImplementation(() => void calls.push(name));
  kernel.udpRevive.mockImplementation((requests) => {
    calls.push('udpRevive');
    return requests.map(() => 0);
  });
  kernel.gateDropResets.mockReturnValue(RESETS_DROPPED);
  kernel.diagConnectionInodes.mockImplementation((connections) => connections.map(() => null));
  // Every way leads out of an address of its own.
  kernel.socketRouteSource.mockImplementation((remote) => remote.replace(/^10\.0\.9\./, '10.9.9.'));
  kernel.socketDescribe.mockImplementation((fd) => ({ fd, local: localOf(fd), state: 1 }) as never);
});

/** The local end that the kernel would give it. */
const localOf = (fd: number): Endpoint => at(`10.9.9.${fd}`, 4884);

/** Its other end is at 10.0.9.<fd>. */
function one(kind: string, fd: number, change: object = {}): object {
  const [practice] = practiceByKind()[kind] as { saved: object }[];
  const ends = { family: 2, local: at('10.0.0.1', 4884), remote: at(`10.0.9.${fd}`, 50000) };
  return { ...practice!, saved: { ...practice!.saved, ...ends }, fd, ...change };
}

const SAVED: SavedByKind = {
  ...practiceByKind(),
  connecting: [],
  connections: [one('connections', 11), one('connections', 12, { inside: true }), one('connections', 13)],
  udp: [one('udp', 21, { hasPeer: true }), one('udp', 22), one('udp', 23, { hasPeer: true })],
  'accept-queues': [one('accept-queues', 31), one('accept-queues', 32, { alone: true }),
    one('accept-queues', 33, { inside: true }), one('accept-queues', 34)],
};

/** Its processes are all there, but for those that had these descriptors. */
function arriving(gone: readonly number[] = []): ArrivingProgram {
  const find = ({ fd }: { fd: number }) => (gone.includes(fd) ? undefined : fd);
  return {
    cgroup: '',
    log: { warn: () => undefined },
    descriptors: { at: find, find, close: () => undefined },
    addresses: new NewAddresses(new Set(['10.0.0.1']), () => '10.0.0.2'),
    host: HOST,
    registry: undefined,
  } as unknown as ArrivingProgram;
}

const followedBy = (fd: number) => localOf(fd).address;
const peersOf = (saved: SavedByKind) => savedPeers(saved).map(({ connection }) => connection.remote.address);

test('where the connections with peers have their ends here is told in the order of the peers', () => {
  expect(peersOf(SAVED)).toEqual([11, 13, 21, 23, 31, 34].map((fd) => `10.0.9.${fd}`));
  const locals = new ArrivingKinds().revive(SAVED, arriving());
  expect(locals.map(({ address }) => address)).toEqual([11, 13, 21, 23, 31, 34].map(followedBy));
});

test('so it is after a crash, and of those that were killed meanwhile there is none', () => {
  const locals = new ArrivingKinds().pickUp(SAVED, arriving([13, 21]));
  expect(locals.map((local) => local?.address)).toEqual([followedBy(11), undefined, undefined, followedBy(23),
    followedBy(31), followedBy(34)]);
});

test('sockets get what must be there before they are bound, then their names, the rest, and last what waits in queues', () => {
  new ArrivingKinds().revive(SAVED, arriving());
  expect(calls).toEqual(['socketWriteOptions', 'socketBind', 'tcpRevive', 'udpRevive', 'socketWriteOptions',
    'acceptQueueFill']);
});

test('what was revived is there until it is released, that of a late peer longer', () => {
  const kinds = new ArrivingKinds();
  kinds.revive(SAVED, arriving());
  expect(kinds.hasUnreleased()).toBe(true);
  const late = new Set(['10.0.0.1:4884 - 10.0.9.13:50000']);
  kinds.release(arriving(), { names: late, leaseMs: 1000 });
  expect(kernel.tcpRelease).toHaveBeenCalledWith([11, 12]);
  expect(kernel.socketLock).toHaveBeenCalledWith([13], 1000);
  expect(kinds.hasUnreleased()).toBe(true);
  kinds.giveUp(arriving());
  expect(kinds.hasUnreleased()).toBe(false);
});

test('resets are dropped until no peer is late', () => {
  const kinds = new ArrivingKinds();
  kinds.revive(SAVED, arriving());
  kinds.release(arriving(), { names: new Set(['10.0.0.1:4884 - 10.0.9.31:50000']), leaseMs: 1000 });
  expect(kernel.closeFd).not.toHaveBeenCalledWith(RESETS_DROPPED);
  kinds.releaseLate(arriving(), { names: new Set(), leaseMs: 1000 }, undefined);
  expect(kernel.closeFd).toHaveBeenCalledWith(RESETS_DROPPED);
});

test('the same reason of two kinds is told once', async () => {
  kernel.socketRouteSource.mockReturnValue(null);
  const [local, remote] = [at('10.0.0.1', 1), at('10.9.8.7', 9)];
  const needs = modestNeeds({
    connecting: { outward: [{ local, remote }], inside: [] },
    connections: { connections: [{ local, remote }], inside: [] },
  });
  expect(await judge(needs, arriving().addresses)).toEqual([{
    code: 'E_NO_ROUTE',
    message: expect.stringContaining('10.9.8.7') as string,
  }]);
});

test.each([['missing', undefined], ['malformed', { local: 'anything' }]])(
  'what is wanted of a kind is told as not understood where it is %s',
  async (_what, needs) => {
    const wanted = { ...modestNeeds(), 'accept-queues': needs };
    await expect(judge(wanted, arriving().addresses)).rejects.toMatchObject({ code: 'E_PROTOCOL' });
    expect(() => new ArrivingKinds().ready({ ...modestNeeds(), console: needs })).toThrow(
      expect.objectContaining({ code: 'E_PROTOCOL' }) as Error,
    );
  },
);

test('a program without a terminal has the pipes of its pod', () => {
  const kinds = new ArrivingKinds();
  expect(kinds.ready(modestNeeds())).toEqual([]);
  expect(kinds.stdio()).toBeUndefined();
});
