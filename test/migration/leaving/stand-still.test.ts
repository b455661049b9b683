/** The undoing of the step that takes and locks a frozen program's sockets: none of them stays in our hands. */
import type { Departure } from '../../../src/migration/leaving/departure';
import { FrozenProgram } from '../../../src/migration/leaving/frozen-program';
import { STAND_STILL } from '../../../src/migration/leaving/stand-still';
import { native } from '../../../src/native';
import { connected } from '../../support/kinds/facts';

/** The kernel is left out. */
jest.mock(
  '../../../src/native/index',
  () => ({
    native: Object.fromEntries(
      ['socketCollect', 'socketLock', 'socketUnlock', 'closeFd', 'socketTcpStates'].map((name) => [name, jest.fn()]),
    ),
  }),
);
jest.mock('../../../src/program/pod', () => ({ pidsOf: () => [502], innerPids: () => new Map([[502, 2]]) }));
const kernel = jest.mocked(native);

const [CONNECTION, BOUND] = [41, 42];
const undo = STAND_STILL.find(({ name }) => name === 'lock')!.undo!;

let frozen: FrozenProgram;
let putBack: jest.Mock;
const undone = (): Promise<void> | void => undo({ frozen, kinds: { putBack } } as unknown as Departure);
const closed = (): number[] => kernel.closeFd.mock.calls.map(([fd]) => fd);

beforeEach(() => {
  jest.resetAllMocks();
  putBack = jest.fn();
  frozen = new FrozenProgram({ cgroup: '', registry: undefined });
  const held = [{ ...connected(), fd: CONNECTION, cookie: 1n }, { ...connected({ state: 7 }), fd: BOUND, cookie: 2n }];
  kernel.socketCollect.mockReturnValue(held);
  kernel.socketTcpStates.mockReturnValue(held.map(({ state }) => state));
});

test('when all kinds are put back, the locks are taken away and our descriptors closed', async () => {
  frozen.takeSockets(1_000);
  expect(kernel.socketLock).toHaveBeenCalledWith([CONNECTION], 1_000);
  putBack.mockImplementation(() => expect(closed()).toEqual([]));
  await undone();
  expect(putBack).toHaveBeenCalled();
  expect(kernel.socketUnlock).toHaveBeenLastCalledWith([CONNECTION]);
  expect(closed()).toEqual([CONNECTION, BOUND]);
});

test('our descriptors are closed where a kind cannot be put back', async () => {
  frozen.takeSockets(1_000);
  putBack.mockRejectedValue(new Error('lost'));
  await expect(undone()).rejects.toThrow('lost');
  expect(closed()).toEqual([CONNECTION, BOUND]);
});

test('our descriptors are closed where a socket cannot be locked, and what the program closes then ends', async () => {
  kernel.socketLock.mockImplementation(() => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM' }); // SO_LOCK_FILTER, since the preflight
  });
  expect(() => frozen.takeSockets(1_000)).toThrow('EPERM');
  await Promise.resolve(undone()).catch(() => undefined);
  expect(putBack).toHaveBeenCalled();
  expect(closed()).toEqual([CONNECTION, BOUND]);
});
