/** UDP sockets on their way: what moves of them, and at which addresses they are afterwards. */
import { z } from 'zod';
import { addressOfFamily, anyAddress, plainAddress } from '../addresses';
import type { Endpoint, SavedUdp } from '../native/index';
import { bytesSchema } from '../protocol/channel/index';
import { endpoint } from '../protocol/control/index';
import { isInside } from './udp-rules';

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
  family: z.int().refine((family) => [2, 10].includes(family)),
  local: endpoint,
  remote: endpoint,
  multicastInterface: z.ipv4(),
  interfaces: z.array(z.object({ level: z.int(), name: z.int(), interface: INTERFACE_NAME })).max(4).readonly(),
  memberships: z.array(z.object({ interface: INTERFACE_NAME, group: address, excludes: z.boolean(), sources: z.array(address).max(64).readonly() })).max(4096).readonly(),
  datagrams: z.array(savedDatagram).readonly(),
}) satisfies z.ZodType<SavedUdp>;

/** One UDP socket of the program and where it is: descriptor `fd` of the process with pid `innerPid`. */
export const movingUdp = z.object({ innerPid: z.int().positive(), fd: z.int().nonnegative(), saved: savedUdp });
export type MovingUdp = z.infer<typeof movingUdp>;

/** Where the sockets of a program are on its new host. */
export class NewAddresses {
  /** `from`: the old host's addresses. `locals`: the program's sockets there. `sourceTowards`: this host's address on the way to another; null: there is none. */
  constructor(
    private readonly from: ReadonlySet<string>,
    private readonly locals: readonly Endpoint[],
    private readonly sourceTowards: (address: string) => string | null,
  ) {}

  /** What to bind a socket to. null: this host has no address in place of its old one. */
  local({ family, local, remote }: Pick<SavedUdp, 'family' | 'local' | 'remote'>): Endpoint | null {
    if (!this.from.has(plainAddress(local.address))) return local;
    // Connected, it gets the address of the route to its remote, as it would have got it in the first place.
    if (remote.port !== 0) return { address: anyAddress(family), port: local.port };
    return this.own(local, family);
  }

  /** What to connect it to, or where a datagram came from: another one only for what is in the program itself. */
  remote(remote: Endpoint, family: number): Endpoint {
    const isOfOldHost = remote.port !== 0 && this.from.has(plainAddress(remote.address));
    return isOfOldHost && isInside(remote, this.locals) ? (this.own(remote, family) ?? remote) : remote;
  }

  /** IP_MULTICAST_IF. */
  multicastInterface(old: string): string {
    return this.from.has(old) ? (this.sourceTowards(old) ?? '0.0.0.0') : old;
  }

  private own({ address: old, port }: Endpoint, family: number): Endpoint | null {
    const found = this.sourceTowards(plainAddress(old));
    return found === null ? null : { address: addressOfFamily(found, family), port };
  }
}
