/** What is known of a modest program, and what the kinds make of it. */
import { NewAddresses } from '../../../src/kinds/ends';
import type { Facts, Kind } from '../../../src/kinds/kind';
import { refuse } from '../../../src/kinds/look';
import { native } from '../../../src/native';
import type { DescriptorFact, OpenFile } from '../../../src/program/descriptors';
import type { ProcessFact, SocketFact } from '../../../src/program/facts';
import type { Reason } from '../../../src/vocabulary/refusal';

export const NAMESPACES = { net: 'net:[1]', mnt: 'mnt:[2]', pid: 'pid:[3]' };
/** The addresses of the host that the program leaves, which has one of IPv4 only. */
export const HOST = { ipv4: '10.0.0.1', ipv6: null };
const FIFO = 0o010600;

export const at = (address: string, port = 5000) => ({ address, port });
export const nobody = at('0.0.0.0', 0);

export function facts(change: Partial<Facts> = {}): Facts {
  return {
    processes: [],
    sockets: [],
    waiting: [],
    unix: [],
    addresses: new Set(['10.0.0.1', 'fd00::1']),
    namespaces: NAMESPACES,
    terminal: undefined,
    unixSockets: { own: [], others: [] },
    seen: { affinity: [] },
    ...change,
  };
}

/** Its descriptors, from 0 on, are these. */
export function processWith(change: Partial<ProcessFact> = {}, ...targets: string[]): ProcessFact {
  return {
    pid: 502,
    innerPid: 2,
    name: 'server',
    executable: '/bin/server',
    workingDirectory: '/',
    descriptors: targets.map((target, fd) => ({ fd, target })),
    mapped: [],
    namespaces: NAMESPACES,
    tracer: 0,
    ...change,
  };
}

/** A TCP connection. */
export function connected(change: Partial<SocketFact> = {}): SocketFact {
  return {
    inode: 77,
    pid: 502,
    innerPid: 2,
    pfd: 5,
    family: 2,
    type: 1,
    protocol: 6,
    state: 1,
    local: at('10.0.0.1', 4884),
    remote: at('10.0.0.3', 50000),
    backlog: 0,
    backlogLimit: 0,
    ended: false,
    obstacles: [],
    options: [],
    interfaces: [],
    ...change,
  };
}

export function listening(change: Partial<SocketFact> = {}): SocketFact {
  return connected({ state: 10, local: at('0.0.0.0', 4884), remote: nobody, ...change });
}

export function udpSocket(change: Partial<SocketFact> = {}): SocketFact {
  return connected({ type: 2, protocol: 17, state: 0, local: at('0.0.0.0'), remote: nobody, ...change });
}

/** A file on a disk. */
export function file(change: Partial<OpenFile> = {}): OpenFile {
  return {
    flags: 0,
    mode: 0o100644,
    identity: '1:2',
    size: 7,
    bytes: 4096,
    links: 1,
    filesystem: 0xef53,
    details: {},
    events: 0,
    ...change,
  };
}

/** A file without a path. */
export function anonymous(change: Partial<OpenFile> = {}): OpenFile {
  return file({ mode: 0o600, filesystem: undefined, ...change });
}

/** An end of a pipe. */
export function pipeEnd(change: Partial<OpenFile> = {}): OpenFile {
  return anonymous({ mode: FIFO, ...change });
}

export function opened(fd: number, target: string, change: Partial<OpenFile> = {}): DescriptorFact {
  return { fd, target, file: file(change) };
}

export const codesOf = (reasons: readonly Reason[]): string[] => reasons.map(({ code }) => code);

/** The codes of all kinds' reasons against a program of these. */
export function refused(
  processes: readonly ProcessFact[],
  sockets: readonly SocketFact[],
  change: Partial<Facts> = {},
): string[] {
  return codesOf(refuse(facts({ processes, sockets, ...change })));
}

/** What this host lacks for what one kind wants, of a program whose host had these addresses. */
export async function judged(kind: Kind, wanted: unknown, from: readonly string[] = []): Promise<Reason[]> {
  const needs = kind.needs!;
  return await needs.judge(needs.schema.parse(wanted), addressesHere(from));
}

function addressesHere(from: readonly string[]): NewAddresses {
  return new NewAddresses(new Set(from), (address) => native.socketRouteSource(address));
}
