/** A UDP socket's state on the wire (SavedUdp of src/native). */
import { z } from 'zod';
import type { SavedUdp } from '../../native/index';
import { bytesSchema } from '../../protocol/channel/index';
import { endpoint } from '../../protocol/control/index';
import { INET_FAMILIES } from '../../vocabulary/sockets';

const interfaceName = z.string().min(1).max(15);
const LARGEST_DATAGRAM = 65_535;
const address = z.union([z.ipv4(), z.ipv6()]);

const savedDatagram = z.object({
  source: endpoint,
  destination: address,
  hopLimit: z.int().min(0).max(255),
  trafficClass: z.int().min(0).max(255),
  bytes: bytesSchema.refine((bytes) => bytes.length <= LARGEST_DATAGRAM),
});

const savedMembership = z.object({
  interface: interfaceName,
  group: address,
  excludes: z.boolean(),
  sources: z.array(address).max(64).readonly(),
});

export const savedUdp = z.object({
  family: z.int().refine((family) => INET_FAMILIES.includes(family)),
  local: endpoint,
  remote: endpoint,
  multicastInterface: z.ipv4(),
  interfaces: z.array(z.object({ level: z.int(), name: z.int(), interface: interfaceName })).max(4).readonly(),
  memberships: z.array(savedMembership).max(4096).readonly(),
  datagrams: z.array(savedDatagram).readonly(),
}) satisfies z.ZodType<SavedUdp>;

const end = { address: '::', port: 1 };
export const practiceUdp: SavedUdp = {
  family: 10,
  local: end,
  remote: end,
  multicastInterface: '0.0.0.0',
  interfaces: [],
  memberships: [],
  datagrams: [{ source: end, destination: '::', hopLimit: 0, trafficClass: 0, bytes: Buffer.alloc(1) }],
};
