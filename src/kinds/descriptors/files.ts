/**
 * Files, and all descriptors that are no sockets and no pipes. CRIU carries them; what it cannot carry is told by the
 * rules of rules.ts, and the target must have the files alike.
 */
import { statSync } from 'node:fs';
import { z } from 'zod';
import type { DescriptorFact } from '../../program/descriptors';
import { isRegular, O_ACCMODE, O_APPEND, O_RDONLY, O_WRONLY } from '../../vocabulary/files';
import type { Reason } from '../../vocabulary/refusal';
import { defineKind, type Facts } from '../kind';
import { isDeleted, reasonOfDescriptor } from './rules';

/** A file that is open under a path. */
const openedFile = z.object({
  path: z.string().max(4096),
  mode: z.int().nonnegative(),
  /** Bytes; null: the size is not compared. */
  size: z.number().nullable(),
  /** The program may write to it, so it may be larger at the target. */
  grows: z.boolean(),
});
type OpenedFile = z.infer<typeof openedFile>;

type NamedFile = DescriptorFact & Required<Pick<DescriptorFact, 'file'>>;

export const files = defineKind({
  name: 'files',

  refuse({ processes, sockets, unixSockets, terminal }: Facts): Reason[] {
    const judged = new Set([...sockets, ...unixSockets.own].map(({ inode }) => inode));
    const context = { terminal: terminal?.path, sockets: judged, pids: new Set(processes.map(({ pid }) => pid)) };
    return processes.flatMap(({ innerPid, name, descriptors, unseen = descriptors }) =>
      unseen.flatMap((descriptor) => {
        const reason = reasonOfDescriptor(descriptor, context);
        if (reason === undefined) return [];
        const message = `process ${innerPid} (${name}) has ${reason.message} (descriptor ${descriptor.fd})`;
        return [{ code: reason.code, message }];
      })
    );
  },

  needs: {
    schema: z.array(openedFile),
    of(facts: Facts): OpenedFile[] {
      const opened = new Map<string, OpenedFile>();
      for (const one of namedFiles(facts).map(describe)) {
        const known = opened.get(one.path) ?? one;
        opened.set(one.path, { ...one, size: one.size ?? known.size, grows: one.grows || known.grows });
      }
      return [...opened.values()];
    },
    judge: (wanted: OpenedFile[]): Reason[] => wanted.flatMap(judge),
  },
});

/** The descriptors that CRIU opens again by their paths. */
export function namedFiles({ processes }: Facts): NamedFile[] {
  return processes.flatMap(({ descriptors }) => descriptors).filter((descriptor): descriptor is NamedFile => {
    const { target, file } = descriptor;
    const isDevice = target.startsWith('/dev/') && !target.startsWith('/dev/shm/');
    return file?.filesystem !== undefined && !isDeleted(target) && !isDevice && !target.startsWith('/memfd:');
  });
}

function describe({ target, file: { flags, mode, size } }: NamedFile): OpenedFile {
  const access = flags & O_ACCMODE;
  // CRIU compares sizes, but not those of logs (should_check_size() in criu/files-reg.c).
  const isLog = access === O_WRONLY && (flags & O_APPEND) !== 0;
  return { path: target, mode, size: isRegular(mode) && !isLog ? size : null, grows: access !== O_RDONLY };
}

function judge({ path, mode, size, grows }: OpenedFile): Reason[] {
  const refused = (message: string): Reason[] => [{ code: 'E_FILE', message }];
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return refused(`${path}, which the program has open, is not here`);
  if (found.mode !== mode)
    return refused(`${path} is another one here: its mode is ${found.mode.toString(8)}, not ${mode.toString(8)}`);
  if (size === null || found.size === size || (grows && found.size > size)) return [];
  return refused(`${path}, which the program has open, is another one here: ${found.size} bytes, not ${size}`);
}
