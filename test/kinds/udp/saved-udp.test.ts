import { savedUdp } from '../../../src/kinds/udp/saved-udp';
import type { SavedUdp } from '../../../src/native';
import { at, nobody } from '../../support/kinds/facts';

describe('a socket that arrives', () => {
  const datagram = {
    source: at('10.0.0.3'),
    destination: '10.0.0.1',
    hopLimit: 64,
    trafficClass: 0,
    bytes: Buffer.from('text'),
  };
  const membership = { interface: 'eth0', group: '239.1.2.3', excludes: true, sources: ['10.0.0.9'] };
  const saved: SavedUdp = {
    family: 2,
    local: at('10.0.0.1'),
    remote: nobody,
    multicastInterface: '0.0.0.0',
    interfaces: [{ level: 41, name: 17, interface: 'eth0' }],
    memberships: [membership],
    datagrams: [datagram],
  };

  test('is taken', () => {
    expect(savedUdp.parse(saved)).toEqual(saved);
  });

  test.each<[string, object]>([
    ['an address that is none', { memberships: [{ ...membership, group: '239.1.2' }] }],
    ['a port that is none', { local: at('10.0.0.1', 65536) }],
    ['an interface without a name', { interfaces: [{ level: 41, name: 17, interface: '' }] }],
    ['an interface with a long name', { interfaces: [{ level: 41, name: 17, interface: 'x'.repeat(16) }] }],
    ['a datagram that is too long', { datagrams: [{ ...datagram, bytes: Buffer.alloc(65_536) }] }],
    ['a hop limit that does not fit', { datagrams: [{ ...datagram, hopLimit: 256 }] }],
    ['another family', { family: 1 }],
    ['no queue', { datagrams: undefined }],
  ])('is refused with %s', (_name, change) => {
    expect(savedUdp.safeParse({ ...saved, ...change }).success).toBe(false);
  });
});
