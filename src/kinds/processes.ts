/** The tree of processes itself: CRIU carries it, and these are the conditions. */
import { statSync } from 'node:fs';
import { arch } from 'node:os';
import { z } from 'zod';
import { cpuFlags } from '../program/facts';
import type { Reason } from '../vocabulary/refusal';
import { defineKind, type Facts } from './kind';

const path = z.string().max(4096);

const schema = z.object({
  architecture: z.string(),
  cpuFlags: z.array(z.string()),
  /** Files that are mapped, with their sizes in bytes. */
  mapped: z.array(z.object({ path, size: z.number() })),
  workingDirectories: z.array(path),
});
type Wanted = z.infer<typeof schema>;

export const processes = defineKind({
  name: 'processes',

  refuse({ processes, namespaces: own }: Facts): Reason[] {
    return processes.flatMap(({ innerPid, name, tracer, namespaces }) => {
      const who = `process ${innerPid} (${name})`;
      const traced = { code: 'E_TRACED', message: `${who} is being traced by process ${tracer}; detach the debugger` };
      const foreign = Object.keys(own).filter((kind) => kind !== 'pid' && namespaces[kind] !== own[kind]);
      return [...(tracer === 0 ? [] : [traced]),
        ...foreign.map((kind) => ({
          code: 'E_NAMESPACE',
          message: `${who} is in another ${kind} namespace; programs with namespaces of their own do not move`,
        }))];
    });
  },

  needs: {
    schema,
    of({ processes }: Facts): Wanted {
      const files = new Map(processes.flatMap(({ mapped }) => mapped.map((file) => [file.path, file] as const)));
      const directories = processes.filter(({ innerPid }) => innerPid !== 1).map((one) => one.workingDirectory);
      return {
        architecture: arch(),
        cpuFlags: cpuFlags(),
        mapped: [...files.values()],
        workingDirectories: [...new Set(directories)],
      };
    },
    judge(wanted: Wanted): Reason[] {
      return [...judgeCpu(wanted), ...wanted.mapped.flatMap(judgeFile),
        ...wanted.workingDirectories.flatMap(judgeDirectory)];
    },
  },
});

function judgeCpu({ architecture, cpuFlags: needed }: Wanted): Reason[] {
  if (architecture !== arch())
    return [{ code: 'E_CPU', message: `the program is of ${architecture}, this host is ${arch()}` }];
  const own = new Set(cpuFlags());
  const missing = needed.filter((flag) => !own.has(flag));
  if (missing.length === 0) return [];
  return [{ code: 'E_CPU', message: `this host's CPU lacks ${missing.slice(0, 8).join(', ')}` }];
}

function judgeFile({ path, size }: Wanted['mapped'][number]): Reason[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [{ code: 'E_FILE', message: `${path} is not here` }];
  if (found.size === size) return [];
  return [{ code: 'E_FILE', message: `${path} is another one here: ${found.size} bytes, not ${size}` }];
}

function judgeDirectory(path: string): Reason[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return [];
  return [{ code: 'E_FILE', message: `the working directory ${path} is not here` }];
}
