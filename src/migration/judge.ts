/** What a target host lacks for a program that wants to come. */
import { createSocket } from 'node:dgram';
import { readFileSync, statSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { arch } from 'node:os';
import type { Config } from '../config';
import { native } from '../native/index';
import { cpuFlags, ownAddresses } from '../program/facts';
import type { Arrival } from '../protocol/control/index';
import { plainAddress } from '../vocabulary/addresses';
import { type Endpoint, endpointText } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/reason';
import { AF_INET, AF_INET6 } from '../vocabulary/sockets';
import { judgeBound } from './bound';
import { judgeDescriptors } from './descriptors';
import type { NewAddresses } from './new-addresses';
import { addressesOf, judgeUdp } from './udp';

export async function judgeArrival(arrival: Arrival, config: Config): Promise<Reason[]> {
  const addresses = addressesOf(arrival.addresses, []);
  return [...judgeCpu(arrival), ...judgeFiles(arrival), ...judgeDescriptors(arrival), ...judgeCriu(config),
    ...judgeBound(arrival, addresses), ...(await judgeUdp(arrival, whyNotBound)), ...judgeQueues(arrival),
    ...judgeRoutes(arrival, addresses), ...judgeOptions(arrival)];
}

function judgeCpu({ architecture, cpuFlags: needed }: Arrival): Reason[] {
  if (architecture !== arch())
    return [{ code: 'E_CPU', message: `the program is of ${architecture}, this host is ${arch()}` }];
  const own = new Set(cpuFlags());
  const missing = needed.filter((flag) => !own.has(flag));
  return missing.length === 0
    ? []
    : [{ code: 'E_CPU', message: `this host's CPU lacks ${missing.slice(0, 8).join(', ')}` }];
}

function judgeFiles({ files, workingDirectories }: Arrival): Reason[] {
  const reasons: Reason[] = [];
  for (const { path, size } of files) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) reasons.push({ code: 'E_FILE', message: `${path} is not here` });
    else if (found.size !== size)
      reasons.push({ code: 'E_FILE', message: `${path} is another one here: ${found.size} bytes, not ${size}` });
  }
  for (const path of workingDirectories) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
      reasons.push({ code: 'E_FILE', message: `the working directory ${path} is not here` });
  }
  return reasons;
}

function judgeCriu({ criu }: Config): Reason[] {
  if (statSync(criu, { throwIfNoEntry: false }) !== undefined) return [];
  return [{ code: 'E_NO_CRIU', message: `this host has no CRIU at ${criu}; run tools/setup there` }];
}

/** null: it can be. */
function whyNotBound(family: number, { address, port }: Endpoint, v6only: boolean): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: family === AF_INET6 ? 'udp6' : 'udp4', ipv6Only: v6only });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
}

/** A queue takes one more than its backlog, which listen(2) cuts to net.core.somaxconn. */
function judgeQueues({ bound }: Arrival): Reason[] {
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')) + 1;
  return bound
    .filter(({ waiting }) => waiting > most)
    .map(({ local, waiting }) => ({
      code: 'E_ACCEPT_QUEUE',
      message: `${waiting} connections wait at ${
        endpointText(local)
      }, and net.core.somaxconn of the target allows ${most}`,
    }));
}

function judgeRoutes({ connections, connecting, inside, addresses: theirs }: Arrival, own: NewAddresses): Reason[] {
  const ours = ownAddresses();
  const addresses = [...new Set([...connections, ...connecting].map(({ remote }) => remote.address))];
  const unreached = addresses.filter((address) => native.socketRouteSource(address) === null);
  const unnamed = inside.filter((address) =>
    own.inside({ address, port: 0 }, isIPv4(address) ? AF_INET : AF_INET6) === null
  );
  // Of a neighbour that stays there: a bridge, say, has the same address on every host.
  const isSameHost = theirs.every((address) => ours.includes(address));
  const common = isSameHost
    ? []
    : addresses.filter((address) => theirs.includes(plainAddress(address)) && ours.includes(plainAddress(address)));
  return [
    ...common.map((address) => ({
      code: 'E_LOCAL_CONNECTION',
      message: `the other end of a connection stays at ${address}, which is an address of the target too`,
    })),
    ...unreached.map((address) => ({ code: 'E_NO_ROUTE', message: `the target has no route to the peer ${address}` })),
    ...unnamed.map((address) => ({ code: 'E_NO_ROUTE', message: `the target has no address in place of ${address}` })),
  ];
}

/** By setting them for a moment: a device or a module may be missing, or the kernel be an older one. */
function judgeOptions({ options: wanted }: Arrival): Reason[] {
  const refused = wanted.map(({ family, type, protocol, options }) =>
    native.socketRefusedOption(family, type, protocol, options)
  );
  const names = [...new Set(refused.filter((name) => name !== null))];
  return names.map((name) => ({
    code: 'E_SOCKET_OPTION',
    message: `${name}, which a socket of the program has set, cannot be set there`,
  }));
}
