/** What the kernel says of a program: its processes, their descriptors, its sockets. Nothing is judged here. */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type DiagSocket, native, type ProgramSocket, type Registry, type SocketOption,
  type UnixSocket } from '../native/index';
import { isLinkLocal, isLoopback, plainAddress } from '../vocabulary/addresses';
import type { Connection } from '../vocabulary/endpoint';
import { CONNECTED_STATES, IPPROTO_UDP, TCP_LISTEN, TCP_SYN_SENT, WAITING_STATES } from '../vocabulary/sockets';
import { describeDescriptors, type DescriptorFact, socketInode } from './descriptors';
import { innerPid, pidsOf } from './pod';
import { hasEnded } from './processes';
import { withHidden } from './registry';

export interface ProcessFact {
  readonly pid: number;
  readonly innerPid: number;
  readonly name: string;
  readonly executable: string;
  readonly workingDirectory: string;
  readonly descriptors: readonly DescriptorFact[];
  /** Descriptors that were not looked at before; where there is no such list, none was. */
  readonly unseen?: readonly DescriptorFact[];
  /** Files that are mapped, with their sizes; the target must have them alike. */
  readonly mapped: readonly { path: string; size: number }[];
  readonly namespaces: Readonly<Record<string, string>>;
  readonly tracer: number;
}

export interface SocketFact extends Omit<ProgramSocket, 'fd'> {
  readonly innerPid: number;
  readonly options: readonly SocketOption[];
  /** That it names, but for the one that it is bound to; UDP sockets only. */
  readonly interfaces: readonly string[];
}

/** A connection that the kernel has completed and the program has not accepted. */
export interface WaitingFact extends Connection {
  readonly state: number;
}

export interface ProgramFacts {
  readonly processes: readonly ProcessFact[];
  readonly sockets: readonly SocketFact[];
  readonly waiting: readonly WaitingFact[];
  /** All of the host, where the program has any. */
  readonly unix: readonly UnixSocket[];
}

/** Without TIME_WAIT and CLOSE: those that inet_diag shows as sockets. */
const STATES_OF_SOCKETS = [...CONNECTED_STATES, TCP_SYN_SENT, TCP_LISTEN];

const NAMESPACES = ['net', 'mnt', 'user', 'ipc', 'uts', 'pid', 'cgroup'];

/** Without a registry, what only the shim saw is not among them. */
export function gatherFacts(cgroup: string, registry?: Registry): ProgramFacts {
  const processes = gatherProcesses(cgroup);
  const known = tcpOf(cgroup);
  const signed = withKeys(known);
  const sockets = withHidden(describeSockets(processes, signed), registry, () => signed);
  return {
    processes,
    sockets,
    waiting: describeWaiting(known),
    unix: hasOthers(processes, sockets) ? native.unixSockets() : [],
  };
}

function tcpOf(cgroup: string): DiagSocket[] {
  return native.diagTcpOfCgroup(statSync(cgroup, { bigint: true }).ino, STATES_OF_SOCKETS);
}

/**
 * Inodes of the TCP sockets that sign their segments (RFC 2385), but for those that neither listen nor are connected.
 */
export function signedSockets(cgroup: string): Set<number> {
  return withKeys(tcpOf(cgroup));
}

/** Sockets that are no inet sockets. */
function hasOthers(processes: readonly ProcessFact[], sockets: readonly SocketFact[]): boolean {
  const inet = new Set(sockets.map(({ inode }) => inode));
  return processes.some(({ descriptors }) =>
    descriptors.map(socketInode).some((inode) => inode !== undefined && !inet.has(inode))
  );
}

export function gatherProcesses(cgroup: string): ProcessFact[] {
  return pidsOf(cgroup).map(describeProcess).filter((fact) => fact !== undefined);
}

/** Our own namespaces, to compare with. */
export function namespacesOf(pid: number | 'self'): Record<string, string> {
  return Object.fromEntries(NAMESPACES.map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)]));
}

/** Undefined where it has ended meanwhile. */
export function describeProcess(pid: number): ProcessFact | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      pid,
      innerPid: innerPid(pid),
      name: status.match(/^Name:\s*(.*)$/m)?.[1] ?? '?',
      executable: readlinkSync(`/proc/${pid}/exe`),
      workingDirectory: readlinkSync(`/proc/${pid}/cwd`),
      descriptors: describeDescriptors(pid),
      mapped: mappedFiles(pid),
      namespaces: namespacesOf(pid),
      tracer: Number(status.match(/^TracerPid:\s*(\d+)$/m)?.[1] ?? 0),
    };
  } catch (error) {
    if (hasEnded(error, pid)) return undefined;
    throw error;
  }
}

function mappedFiles(pid: number): { path: string; size: number }[] {
  const paths = new Set<string>();
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const path = line.slice(73).trim();
    if (
      path.startsWith('/') && !path.endsWith(' (deleted)') && !path.startsWith('/memfd:')
      && (!path.startsWith('/dev/') || path.startsWith('/dev/shm/'))
    ) paths.add(path);
  }
  return [...paths].map((path) => ({ path, size: statSync(path, { throwIfNoEntry: false })?.size ?? -1 }));
}

/** Only inet_diag tells. */
function withKeys(known: readonly DiagSocket[]): Set<number> {
  return new Set(known.filter(({ hasKeys }) => hasKeys).map(({ inode }) => inode));
}

function describeWaiting(known: readonly DiagSocket[]): WaitingFact[] {
  return known.filter(({ inode, state }) => inode === 0 && WAITING_STATES.includes(state)).map(
    ({ state, connection }) => ({ ...connection, state })
  );
}

function describeSockets(processes: readonly ProcessFact[], signed: ReadonlySet<number>): SocketFact[] {
  const innerPids = new Map(processes.map((process) => [process.pid, process.innerPid]));
  const held = native.socketCollect([...innerPids.keys()]);
  try {
    const options = native.socketReadOptions(held.map(({ fd }) => fd));
    return held.map(({ fd, ...fact }, index) => ({
      ...fact,
      innerPid: innerPids.get(fact.pid) as number,
      obstacles: signed.has(fact.inode) ? [...fact.obstacles, 'authentication'] : fact.obstacles,
      options: options[index] ?? [],
      interfaces: fact.protocol === IPPROTO_UDP ? native.udpInterfaces(fd) : [],
    }));
  } finally {
    for (const { fd } of held) native.closeFd(fd);
  }
}

export function cpuFlags(): string[] {
  const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^(?:flags|Features)\s*:\s*(.*)$/m)?.[1] ?? '';
  return line.split(' ').filter(Boolean);
}

/**
 * Gives the addresses of the interface that has this one: for either version the first that means something beyond the
 * link; null: there is none.
 */
export function addressesBeside(address: string): { ipv4: string | null; ipv6: string | null } {
  const plain = plainAddress(address);
  const all = Object.values(networkInterfaces()).find((list) => list?.some((each) => each.address === plain)) ?? [];
  const usable = all.map((each) => each.address).filter((each) => !isLoopback(each) && !isLinkLocal(each));
  const offered = usable.includes(plain) ? [plain, ...usable] : usable;
  const first = (version: 4 | 6): string | null => offered.find((each) => isIP(each) === version) ?? null;
  return { ipv4: first(4), ipv6: first(6) };
}

/** This host's addresses that others may know it by. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.map(({ address }) => address).filter((address) => !isLoopback(address));
}
