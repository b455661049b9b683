/** Pipes and FIFOs: CRIU carries those whose two ends are the program's, with the bytes in them. */
import type { ProcessFact } from '../../program/facts';
import { isFifo, O_ACCMODE, O_PATH, O_RDONLY, O_WRONLY, POLLERR, POLLHUP } from '../../vocabulary/files';
import type { Reason } from '../../vocabulary/refusal';
import { defineKind, type Facts } from '../kind';

export const pipes = defineKind({
  name: 'pipes',

  /** CRIU would close an end that the program has not got and somebody else has. */
  refuse({ processes }: Facts): Reason[] {
    const readers = new Set<string>();
    const writers = new Set<string>();
    const ends = processes.flatMap(endsOf);
    for (const { file } of ends) {
      if ((file.flags & O_ACCMODE) !== O_WRONLY) readers.add(file.identity);
      if ((file.flags & O_ACCMODE) !== O_RDONLY) writers.add(file.identity);
    }
    return ends.flatMap(({ who, fd, target, file: { identity, events } }) => {
      const lacksWriter = !writers.has(identity) && (events & POLLHUP) === 0;
      const lacksReader = !readers.has(identity) && (events & POLLERR) === 0;
      if (!lacksWriter && !lacksReader) return [];
      const message = `${who} has ${target} open, whose other end another program has (descriptor ${fd})`;
      return [{ code: 'E_DESCRIPTOR', message }];
    });
  },
});

function endsOf({ innerPid, name, descriptors }: Pick<ProcessFact, 'innerPid' | 'name' | 'descriptors'>) {
  return descriptors.flatMap(({ fd, target, file }) => {
    if (file === undefined || !isFifo(file.mode) || (file.flags & O_PATH) !== 0) return [];
    return [{ who: `process ${innerPid} (${name})`, fd, target, file }];
  });
}
