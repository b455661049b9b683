/**
 * The CPUs that each thread may use (sched_setaffinity(2)). CRIU restores threads with those that it may use itself, so
 * they are read at the source and set at the target. A thread that may use every CPU that programs have on the source
 * is not pinned: it may use every CPU that they have on the target.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { cgroupRoot } from '../config';
import { MigrunError } from '../errors';
import { native } from '../native/index';
import type { ProgramFacts } from '../program/facts';
import { hasEnded } from '../program/processes';
import type { Reason } from '../vocabulary/refusal';
import { defineTravellingKind, type Frozen } from './kind';

const MAX_CPUS = 65_536;
const cpuList = z.array(z.int().min(0).max(MAX_CPUS)).min(1).max(MAX_CPUS);

/** A thread by its tid in the program's own PID namespace. */
const pinnedThread = z.object({ innerPid: z.int().positive(), innerTid: z.int().positive(), cpus: cpuList });
type PinnedThread = z.infer<typeof pinnedThread>;

/** One thread of those that are pinned to the same CPUs. */
const wanted = z.array(pinnedThread);

export const affinity = defineTravellingKind({
  name: 'affinity',

  look: ({ processes }: ProgramFacts): PinnedThread[] =>
    processes.flatMap(({ pid, innerPid }) => pinnedThreads(pid, innerPid)),

  needs: {
    schema: wanted,
    of: (_facts, seen): PinnedThread[] => [...new Map(seen.map((thread) => [String(thread.cpus), thread])).values()],
    judge(threads): Reason[] {
      const here = new Set(cpusOfPrograms());
      return threads.filter(({ cpus }) => !cpus.some((cpu) => here.has(cpu))).map(({ innerPid, innerTid, cpus }) => ({
        code: 'E_CPU',
        message: `thread ${innerTid} of process ${innerPid} may use ${cpuText(cpus)} alone, and this host has ${
          cpuText([...here])
        }`,
      }));
    },
  },

  saved: { schema: wanted, practice: [{ innerPid: 1, innerTid: 1, cpus: [0] }] },

  leave: () => {
    let threads: PinnedThread[] = [];
    return {
      read({ innerPids }: Frozen) {
        threads = [...innerPids].flatMap(([pid, innerPid]) => pinnedThreads(pid, innerPid));
      },
      state: () => threads,
    };
  },

  arrive: () => ({
    settle(saved, { descriptors }) {
      const pids = [...new Set(saved.map(({ innerPid }) => innerPid))];
      const tids = new Map(pids.flatMap((innerPid) => tidsOf(descriptors.pidOf({ innerPid }))));
      for (const { innerTid, cpus } of saved) {
        const tid = tids.get(innerTid);
        if (tid !== undefined) pin(tid, innerTid, cpus);
      }
    },
  }),
});

function pin(tid: number, innerTid: number, cpus: readonly number[]): void {
  try {
    native.processSetAffinity(tid, cpus);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return; // it was killed meanwhile
    throw new MigrunError('E_CPU', `thread ${innerTid} cannot have ${cpuText(cpus)} here`, { cause });
  }
}

/** Empty where none is, or the process has ended. */
function pinnedThreads(pid: number, innerPid: number): PinnedThread[] {
  const all = cpusOfPrograms();
  return threadsOf(pid).flatMap(({ innerTid, cpus }) =>
    all.every((cpu) => cpus.includes(cpu)) ? [] : [{ innerPid, innerTid, cpus }]
  );
}

/** Our tids by those of the program's namespace, which are unique in it. */
function tidsOf(pid: number | undefined): [innerTid: number, tid: number][] {
  return pid === undefined ? [] : threadsOf(pid).map(({ tid, innerTid }) => [innerTid, tid]);
}

interface Thread {
  readonly tid: number;
  readonly innerTid: number;
  readonly cpus: number[];
}

/** None where the process has ended. */
function threadsOf(pid: number): Thread[] {
  return unlessEnded(pid, () => readdirSync(`/proc/${pid}/task`).map(Number).flatMap((tid) => threadOf(pid, tid)))
    ?? [];
}

/** None where the thread has ended meanwhile, as it may while the program runs. */
function threadOf(pid: number, tid: number): Thread | [] {
  const status = unlessEnded(pid, () => readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8'));
  if (status === undefined) return [];
  const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? String(tid);
  return { tid, innerTid: Number(inner), cpus: cpusIn(status) };
}

function unlessEnded<Result>(pid: number, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (hasEnded(error, pid)) return undefined;
    throw error;
  }
}

/** The CPUs of the nearest cpuset above the pods; where there is no such file, all that are online. */
function cpusOfPrograms(): number[] {
  for (let cgroup = cgroupRoot();; cgroup = dirname(cgroup)) {
    const file = join(cgroup, 'cpuset.cpus.effective');
    if (existsSync(file)) return parseCpuList(readFileSync(file, 'utf8').trim());
    if (cgroup === dirname(cgroup)) return parseCpuList(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim());
  }
}

function cpusIn(status: string): number[] {
  return parseCpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
}

/** Reads a list as the kernel prints it: "0-3,8". */
export function parseCpuList(text: string): number[] {
  return text.split(',').filter(Boolean).flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_each, index) => first + index);
  });
}

function cpuText(cpus: readonly number[]): string {
  return `CPU${cpus.length === 1 ? '' : 's'} ${cpus.join(', ')}`;
}
