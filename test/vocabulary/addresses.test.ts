import { addressOfFamily, anyAddress, isAnyAddress, isGroup, isLinkLocal, isLoopback,
  plainAddress } from '../../src/vocabulary/addresses';

test('a mapped address is the IPv4 address of its packets, and back', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(plainAddress('fd00::1')).toBe('fd00::1');
  expect(plainAddress('::ffff:1')).toBe('::ffff:1');
  expect(addressOfFamily('10.0.0.1', 10)).toBe('::ffff:10.0.0.1');
  expect(addressOfFamily('10.0.0.1', 2)).toBe('10.0.0.1');
  expect(addressOfFamily('fd00::1', 10)).toBe('fd00::1');
});

test('any address', () => {
  expect([anyAddress(2), anyAddress(10)]).toEqual(['0.0.0.0', '::']);
  expect(['0.0.0.0', '::', '::ffff:0.0.0.0'].map(isAnyAddress)).toEqual([true, true, true]);
  expect(['0.0.0.1', '::1'].map(isAnyAddress)).toEqual([false, false]);
});

test.each<[string, (address: string) => boolean, string[], string[]]>([
  ['loopback', isLoopback, ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2',
    '::ffff:10.0.0.1']],
  ['groups', isGroup, ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1', '::ffff:239.1.1.1'], ['223.0.0.1',
    '240.0.0.1', 'fe80::1', 'fd00::ff']],
  ['link-local', isLinkLocal, ['fe80::1', 'febf::1'], ['fec0::1', 'fd00::1', '169.254.0.1']],
])('%s', (_name, is, those, others) => {
  expect(those.filter((address) => !is(address))).toEqual([]);
  expect(others.filter(is)).toEqual([]);
});
