/**
 * The programs of this host, as their supervisors describe them, how one of them is stopped for a rebind, and what is
 * entrusted of them.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { native, type Registry } from '../native/index';
import { takeConnections } from '../program/pidfds';
import { freezeProgram, thawProgram } from '../program/pod';
import { initOf } from '../program/processes';
import { mapRegistry } from '../program/registry';
import type { EntrustedConnection, ProgramSummary } from '../protocol/control/index';
import { PEER_FREEZE_TIMEOUT_MS } from '../times';
import type { LocalPrograms, PeerFreezer } from './peering/index';

interface Entry {
  summary: ProgramSummary;
  cgroup: string;
  freezer: PeerFreezer | undefined;
}

export class Programs implements LocalPrograms {
  private readonly entries = new Map<string, Entry>();
  /** How long the program of this group is suspended yet, in milliseconds; undefined: it is not. */
  suspendedForMs: (group: string) => number | undefined = () => undefined;

  register(summary: ProgramSummary, cgroup: string): void {
    this.entries.set(summary.id, { summary, cgroup, freezer: undefined });
  }

  update(summary: ProgramSummary, cgroup: string): void {
    const entry = this.entries.get(summary.id);
    if (entry === undefined) return;
    if (entry.cgroup !== cgroup) Object.assign(entry, { cgroup, freezer: undefined });
    entry.summary = summary;
  }

  remove(id: string): void {
    this.entries.delete(id);
  }

  list(): ProgramSummary[] {
    return [...this.entries.values()].map((entry) => this.shown(entry)).sort((one, other) =>
      one.startedAt - other.startedAt
    );
  }

  /** Gives undefined where no such program runs here. */
  find(id: string): { readonly summary: ProgramSummary; readonly cgroup: string } | undefined {
    const entry = this.entries.get(id);
    return entry && { summary: this.shown(entry), cgroup: entry.cgroup };
  }

  freezerOf(pid: number): PeerFreezer | null {
    const entry = this.entryOf(pid);
    if (entry === undefined) return null;
    entry.freezer ??= new CgroupFreezer(entry.cgroup);
    return entry.freezer;
  }

  isMigrating(pid: number): boolean {
    const state = this.entryOf(pid)?.summary.state;
    return state === 'migrating' || state === 'arriving';
  }

  isSuspended(pid: number): boolean {
    const group = this.entryOf(pid)?.summary.group;
    return group !== undefined && (this.suspendedForMs(group) ?? 0) > 0;
  }

  private shown({ summary }: Entry): ProgramSummary {
    const left = this.suspendedForMs(summary.group);
    if (left === undefined || summary.state !== 'running') return summary;
    return { ...summary, state: 'suspended', suspendedForMs: left };
  }

  private entryOf(pid: number): Entry | undefined {
    const name = cgroupNameOf(pid);
    return name === undefined ? undefined : [...this.entries.values()].find(({ cgroup }) => basename(cgroup) === name);
  }
}

/** The name of the cgroup v2 that a process is in, where that is one of migrun's. */
function cgroupNameOf(pid: number): string | undefined {
  try {
    return /^0::.*\/migrun\/([^/\n]+)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  } catch {
    return undefined; // it ended
  }
}

/** Stops all processes of a program at once. */
class CgroupFreezer implements PeerFreezer {
  private readonly registry: Registry | undefined;
  /** A program may be a peer in several migrations, and be suspended itself, at the same time. */
  private freezes = 0;

  constructor(private readonly cgroup: string) {
    const init = initOf(cgroup);
    this.registry = init === undefined ? undefined : mapRegistry(init);
  }

  freeze(): void {
    if (this.freezes === 0) freezeProgram(this.cgroup, this.registry, PEER_FREEZE_TIMEOUT_MS);
    this.freezes += 1;
  }

  thaw(): void {
    this.freezes -= 1;
    if (this.freezes === 0) thawProgram(this.cgroup, this.registry);
  }
}

/**
 * Connections that a migration has taken out of accept queues. Only the supervisor has descriptors of them, so they
 * would end with it. So they are entrusted to the agent until the supervisor or its successor has put them back or let
 * them go.
 */
export class Entrusted {
  private readonly byProgram = new Map<string, EntrustedConnection[]>();

  /** They replace those of this program that were entrusted before; nobody hears of the end of these. */
  entrust(program: string, pid: number, connections: readonly EntrustedConnection[]): void {
    const taken = takeConnections(pid, connections);
    native.tcpCloseSilently(this.of(program).map(({ fd }) => fd));
    if (taken.length > 0) this.byProgram.set(program, taken);
    else this.byProgram.delete(program);
  }

  /** The descriptors are this process's. */
  of(program: string): EntrustedConnection[] {
    return this.byProgram.get(program) ?? [];
  }
}
