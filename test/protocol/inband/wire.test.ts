import { addressFromBytes, addressToBytes, encodeAddresses } from '../../../src/protocol/inband/wire';

describe('addresses', () => {
  test.each([
    '0.0.0.0',
    '10.77.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fd77::3',
    'fe80::1:0:0:2',
    '1:2:3:4:5:6:7:8',
    'ff02::',
    '::ffff:10.77.0.1',
  ])('%s survives', (address) => {
    expect(addressFromBytes(addressToBytes(address))).toBe(address);
  });

  test('one address has one text', () => {
    expect(addressFromBytes(addressToBytes('FD77:0:0::0003'))).toBe('fd77::3');
    expect(addressFromBytes(addressToBytes('::FFFF:a4d:1'))).toBe('::ffff:10.77.0.1');
  });

  test.each(['', 'hostA', '10.77.0', '10.77.0.256', 'fe80::1%eth0', ':::', '1:2:3'])('%j is none', (address) => {
    expect(() => addressToBytes(address)).toThrow(RangeError);
  });

  test('both ends of a connection agree on its addresses, in whatever family they hold them', () => {
    const mapped = encodeAddresses({ address: '::ffff:10.0.0.1', port: 1 }, { address: '::ffff:10.0.0.2', port: 2 });
    expect(mapped).toEqual(encodeAddresses({ address: '10.0.0.1', port: 1 }, { address: '10.0.0.2', port: 2 }));
  });
});
