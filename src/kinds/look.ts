/** Looking at a program, and what all kinds make of it: from facts alone. */
import { native } from '../native/index';
import { describeDescriptors, type DescriptorFact, socketInode, socketInodes } from '../program/descriptors';
import { describeProcess, gatherFacts, namespacesOf, ownAddresses, type ProcessFact,
  signedSockets } from '../program/facts';
import { withHidden } from '../program/registry';
import type { Connection } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/refusal';
import { unixFacts } from './descriptors/unix-rules';
import type { HostAddresses } from './ends';
import type { Facts, Frozen } from './kind';
import type { MovingProgram } from './program';
import { KINDS } from './table';

/** What the target must have, by the kind's name. */
export type WantedByKind = Record<string, unknown>;

type Looked = Pick<MovingProgram, 'cgroup' | 'registry' | 'terminal'>;

export function look({ cgroup, registry, terminal }: Looked): Facts {
  const facts = gatherFacts(cgroup, registry);
  return {
    ...facts,
    addresses: new Set(ownAddresses()),
    namespaces: namespacesOf('self'),
    terminal,
    unixSockets: unixFacts(socketInodes(facts.processes), facts.unix),
    seen: Object.fromEntries(KINDS.map((kind) => [kind.name, kind.look?.(facts)])),
  };
}

/** Gives these facts with other processes, whose descriptors were read anew. */
export function withProcesses(facts: Facts, processes: readonly ProcessFact[]): Facts {
  return { ...facts, processes, unixSockets: unixFacts(socketInodes(processes), facts.unix) };
}

/**
 * Looks once more at a program that was looked at before and stands still now; reads only what may have changed since.
 */
export function lookAgain(before: Facts, frozen: Frozen, { cgroup, registry }: Looked): Facts {
  const own = [...frozen.sockets, ...frozen.waiting.map(({ socket }) => socket)];
  const inet = new Set(own.map(({ inode }) => inode));
  const known = new Map(before.processes.map((process) => [process.pid, process]));
  const processes = [...frozen.innerPids.keys()].flatMap((pid) => lookAtProcess(pid, known.get(pid), inet) ?? []);
  const others = socketInodes(processes.map(({ descriptors, unseen = descriptors }) => ({ descriptors: unseen })));
  for (const inode of inet) others.delete(inode);
  const sockets = withHidden(own, registry, () => signedSockets(cgroup));
  return {
    ...before,
    processes,
    sockets: sockets.map((one) => ({ ...one, innerPid: frozen.placeOf(one).innerPid, options: [], interfaces: [] })),
    waiting: [],
    unixSockets: unixFacts(others, others.size === 0 ? [] : native.unixSockets()),
  };
}

function lookAtProcess(
  pid: number,
  before: ProcessFact | undefined,
  inet: ReadonlySet<number>,
): ProcessFact | undefined {
  if (before === undefined) return describeProcess(pid);
  const same = new Map(before.descriptors.filter((one) => !mayChange(one, inet)).map((one) => [one.fd, one]));
  const unseen = describeDescriptors(pid, (fd) => !same.has(fd));
  return { ...before, descriptors: [...same.values(), ...unseen], unseen };
}

/**
 * Whether a descriptor may be another one now: a file, a pipe, an inet socket are what they were, as long as they stay
 * open.
 */
function mayChange(descriptor: DescriptorFact, inet: ReadonlySet<number>): boolean {
  const inode = socketInode(descriptor);
  return inode === undefined ? /^anon_inode:\[?(eventfd|inotify)/.test(descriptor.target) : !inet.has(inode);
}

/** Gives every reason why the program cannot leave this host, wherever it goes. */
export function refuse(facts: Facts): Reason[] {
  return KINDS.flatMap((kind) => kind.refuse?.(facts, facts.seen[kind.name]) ?? []);
}

/** Gives every reason why the program cannot leave for a host from which this one's addresses are these. */
export function refuseAway(facts: Facts, host: HostAddresses): Reason[] {
  return KINDS.flatMap((kind) => kind.refuseAway?.(facts, host) ?? []);
}

/** Gives the program's connections with others, as its sockets have them. */
export function peersOf(facts: Facts): Connection[] {
  return KINDS.flatMap((kind) => kind.peers?.(facts) ?? []);
}

export function needsOf(facts: Facts, host: HostAddresses): WantedByKind {
  const needs = KINDS.flatMap(({ name, needs }) => (needs === undefined ? [] : [{ name, needs }]));
  return Object.fromEntries(needs.map(({ name, needs }) => [name, needs.of(facts, facts.seen[name], host)]));
}

/**
 * Resolves when nothing is left that could not come along, or the time is over: with what is. The program may be
 * running.
 */
export async function quiesce(cgroup: string, timeoutMs: number): Promise<Reason[]> {
  return (await Promise.all(KINDS.flatMap((kind) => kind.quiesce?.(cgroup, timeoutMs) ?? []))).flat();
}
