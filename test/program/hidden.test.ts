import type { HiddenOption, Registry } from '../../src/native';
import { withHidden } from '../../src/program/registry';

type Hidden = ReturnType<Registry['hiddenOptions']>;

function registryWith({ sockets = [], groups = [] }: Partial<Hidden>): Registry {
  return { hiddenOptions: () => ({ sockets, groups }) } as Partial<Registry> as Registry;
}

const noKeys = (): Set<number> => {
  throw new Error('asked for nothing');
};

const socket = {
  inode: 7,
  protocol: 6,
  state: 7,
  local: { address: '0.0.0.0', port: 80 },
  obstacles: ['corked' as const],
};
const noted = (...options: HiddenOption[]): Registry => registryWith({ sockets: [{ inode: 7, options }] });

test('without a registry, and where nothing is noted, the sockets are what they were', () => {
  const sockets = [socket];
  expect(withHidden(sockets, undefined, noKeys)).toBe(sockets);
  expect(withHidden(sockets, registryWith({}), noKeys)).toBe(sockets);
});

test("what is noted of a socket is among its obstacles, and not among others'", () => {
  const other = { ...socket, inode: 8 };
  expect(withHidden([socket, other], noted('fragment-size', 'anycast'), noKeys)).toEqual([{
    ...socket,
    obstacles: ['corked', 'fragment-size', 'anycast'],
  }, other]);
});

test('keys count where inet_diag shows them, or can show none', () => {
  expect(withHidden([socket], noted('keys'), noKeys)[0]?.obstacles).toEqual(['corked', 'authentication']);
  const listening = { ...socket, state: 10, obstacles: [] };
  expect(withHidden([listening], noted('keys'), () => new Set())).toEqual([listening]);
  expect(withHidden([listening], noted('keys'), () => new Set([7]))[0]?.obstacles).toEqual(['authentication']);
  expect(withHidden([{ ...listening, obstacles: ['authentication'] }], noted('keys'), () => new Set([7]))[0]?.obstacles)
    .toEqual(['authentication']);
});

test('a SYN that was read is not there any more', () => {
  const connection = { ...socket, state: 1, obstacles: ['saved-syn' as const, 'corked' as const] };
  expect(withHidden([connection, { ...connection, inode: 8 }], noted('syn-read'), noKeys)).toEqual([{
    ...connection,
    obstacles: ['corked'],
  }, { ...connection, inode: 8 }]);
  expect(withHidden([connection], noted('anycast'), noKeys)[0]?.obstacles).toEqual(['saved-syn', 'corked', 'anycast']);
});

test.each([
  ['that listens at its port', { state: 10 }, true],
  ['of UDP at its port', { state: 0, protocol: 17 }, true],
  ['that listens at another port', { state: 10, local: { address: '0.0.0.0', port: 81 } }, false],
  ['that is connected from its port', { state: 1 }, false],
  ['that is bound only', { state: 7 }, false],
])("a group's program is one of a socket %s: %#", (_name, change, isIn) => {
  const registry = registryWith({ groups: [{ protocol: 'protocol' in change ? change.protocol : 6, port: 80 }] });
  expect(withHidden([{ ...socket, ...change, obstacles: [] }], registry, noKeys)[0]?.obstacles).toEqual(
    isIn ? ['group-program'] : [],
  );
});
