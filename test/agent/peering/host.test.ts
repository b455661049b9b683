import { networkInterfaces } from 'node:os';
import { isOwnAddress, localEndAt } from '../../../src/agent/peering/host';

const at = (address: string) => ({ address, port: 4884 });

describe('a socket that follows', () => {
  test.each(['10.0.0.3', 'fd00::3', '127.0.0.1', '::1'])('keeps its address, %s', (address) => {
    expect(localEndAt(at(address), address)).toEqual(at(address));
  });

  test.each([
    ['at an address that has a meaning elsewhere', '10.0.0.3', '10.0.0.4'],
    ["at loopback, one that is not this host's", '127.0.0.1', '192.0.2.1'],
    ['at loopback, another loopback address', '127.0.0.1', '127.0.0.2'],
    ['at loopback, one of the other version', '::1', '127.0.0.1'],
  ])('gets no other: %s', (_name, local, address) => {
    expect(localEndAt(at(local), address)).toBeNull();
  });

  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []).find(({ internal, family }) =>
    !internal && family === 'IPv4'
  );
  (own === undefined ? test.skip : test)("at loopback gets one of this host's", () => {
    expect(localEndAt(at('127.0.0.1'), own!.address)).toEqual(at(own!.address));
    expect(localEndAt(at('::1'), own!.address)).toBeNull();
  });
});

test("all loopback addresses are this host's own", () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', '192.0.2.1'].map(isOwnAddress)).toEqual([true, true, true, false]);
});
