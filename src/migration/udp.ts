/** UDP sockets at the source and at the target of a migration: the mechanics are native/udp/udp.h. */
import { native, type ProgramSocket, type ReviveUdpRequest, type SavedUdp } from '../native/index';
import { innerPid } from '../program/pod';
import type { Arrival } from '../protocol/control/index';
import { type Endpoint, endpointText } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/reason';
import { isUdp } from '../vocabulary/sockets';
import type { MovingUdp } from './moving-udp';
import { NewAddresses } from './new-addresses';

/** A network device that has not sent a packet by then is not about to. */
const SENT_TIMEOUT_MS = 100;

/** Of a program that stands still: what a socket has begun and not sent is a datagram in parts (MSG_MORE). */
export function reasonsOfUnsent(held: readonly ProgramSocket[]): Reason[] {
  const sockets = held.filter(isUdp);
  const index = native.udpAwaitSent(sockets.map(({ fd }) => fd), SENT_TIMEOUT_MS);
  if (index === null) return [];
  const local = endpointText((sockets[index] as ProgramSocket).local);
  return [{
    code: 'E_SOCKET_OPTION',
    message: `the UDP socket at ${local} has begun a datagram (MSG_MORE) and not sent it; try again`,
  }];
}

export function saveUdp(held: readonly ProgramSocket[]): MovingUdp[] {
  const sockets = held.filter(isUdp);
  const saved = native.udpSave(sockets.map(({ fd }) => fd));
  return sockets.map(({ pid, pfd }, index) => ({ innerPid: innerPid(pid), fd: pfd, saved: saved[index] as SavedUdp }));
}

export function addressesOf(from: readonly string[], locals: readonly Endpoint[]): NewAddresses {
  return new NewAddresses(new Set(from), locals, (address) => native.socketRouteSource(address));
}

/** `fd`: this host's descriptor of the socket. */
export function reviveRequest({ saved }: MovingUdp, fd: number, addresses: NewAddresses): ReviveUdpRequest {
  const { family } = saved;
  return {
    fd,
    saved: {
      ...saved,
      multicastInterface: addresses.multicastInterface(saved.multicastInterface),
      datagrams: saved.datagrams.map((datagram) => ({
        ...datagram,
        source: addresses.remote(datagram.source, family),
      })),
    },
    local: addresses.local(saved) ?? saved.local,
    remote: addresses.remote(saved.remote, family),
  };
}

/** What this host lacks for them: addresses, ports, interfaces. */
export async function judgeUdp(
  { addresses: from, udp }: Arrival,
  isFree: (family: number, local: Endpoint, v6only: boolean) => Promise<string | null>,
): Promise<Reason[]> {
  const addresses = addressesOf(from, udp.map(({ local }) => local));
  const reasons: Reason[] = [];
  for (const name of new Set(udp.flatMap(({ interfaces }) => interfaces))) {
    if (!native.udpHasInterface(name))
      reasons.push({ code: 'E_INTERFACE', message: `there is no network interface ${name}, which a UDP socket uses` });
  }
  const seen = new Set<string>();
  for (const { family, local, remote, v6only } of udp) {
    const wanted = addresses.local({ family, local, remote });
    if (wanted === null)
      reasons.push({ code: 'E_NO_ROUTE', message: `the target has no address in place of ${local.address}` });
    // One after the other: two of these may share a port.
    else if (wanted.port !== 0 && !seen.has(endpointText(wanted))) {
      seen.add(endpointText(wanted));
      const taken = await isFree(family, wanted, v6only);
      if (taken !== null)
        reasons.push({
          code: 'E_PORT',
          message: `cannot bind a UDP socket to ${endpointText(wanted)} there: ${taken}`,
        });
    }
  }
  return reasons;
}
