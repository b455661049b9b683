/** UDP sockets on their way: what moves of them. */
import { z } from 'zod';
import type { SavedUdp } from '../native/index';
import { bytesSchema } from '../protocol/channel/index';
import { endpoint } from '../protocol/control/index';
import { INET_FAMILIES } from '../vocabulary/sockets';

const INTERFACE_NAME = z.string().min(1).max(15);
const LARGEST_DATAGRAM = 65_535;
const address = z.union([z.ipv4(), z.ipv6()]);

const savedDatagram = z.object({
  source: endpoint,
  destination: address,
  hopLimit: z.int().min(0).max(255),
  trafficClass: z.int().min(0).max(255),
  bytes: bytesSchema.refine((bytes) => bytes.length <= LARGEST_DATAGRAM),
});

const savedUdp = z.object({
  family: z.int().refine((family) => INET_FAMILIES.includes(family)),
  local: endpoint,
  remote: endpoint,
  multicastInterface: z.ipv4(),
  interfaces: z.array(z.object({ level: z.int(), name: z.int(), interface: INTERFACE_NAME })).max(4).readonly(),
  memberships: z.array(
    z.object({
      interface: INTERFACE_NAME,
      group: address,
      excludes: z.boolean(),
      sources: z.array(address).max(64).readonly(),
    }),
  ).max(4096).readonly(),
  datagrams: z.array(savedDatagram).readonly(),
}) satisfies z.ZodType<SavedUdp>;

/** One UDP socket of the program and where it is: descriptor `fd` of the process with pid `innerPid`. */
export const movingUdp = z.object({ innerPid: z.int().positive(), fd: z.int().nonnegative(), saved: savedUdp });
export type MovingUdp = z.infer<typeof movingUdp>;
