/**
 * The shim's registry of sockets (preload/registry/registry.h). CRIU carries its memory; but it names sockets by their
 * inodes, and restored sockets have others.
 */
import { fstatSync } from 'node:fs';
import { z } from 'zod';
import { sweepRegistry } from '../program/registry';
import { place } from '../vocabulary/place';
import { type ArrivingProgram, defineTravellingKind } from './kind';

/** An inet socket, with its inode at the source. */
const namedSocket = place.extend({ inode: z.int().nonnegative() });
type NamedSocket = z.infer<typeof namedSocket>;

export const registry = defineTravellingKind({
  name: 'registry',

  saved: { schema: z.array(namedSocket), practice: [{ innerPid: 1, fd: 0, inode: 1 }] },

  leave: ({ program }) => ({
    /**
     * Killed processes have left names of sockets behind. No socket is on its way in a message now, so these are all
     * that live.
     */
    tidy: ({ sockets }) => sweepRegistry(program.registry, sockets),
    state: (frozen) => frozen.sockets.map((socket) => ({ ...frozen.placeOf(socket), inode: socket.inode })),
  }),

  arrive: () => ({
    settle(saved, program) {
      const { registry } = program;
      registry?.moveInodes(inodesHere(saved, program));
      registry?.endFreeze();
    },

    /** Names are moved once only: an inode here may be the number of another socket's inode there. */
    pickUp(saved, program) {
      const { registry } = program;
      const moves = inodesHere(saved, program);
      const known = new Set(registry?.inodes());
      if (!moves.every(([, to]) => known.has(to))) registry?.moveInodes(moves);
    },
  }),
});

function inodesHere(saved: readonly NamedSocket[], { descriptors }: ArrivingProgram): [from: number, to: number][] {
  return saved.flatMap(({ inode, ...at }): [number, number][] => {
    const fd = descriptors.find(at);
    return fd === undefined ? [] : [[inode, fstatSync(fd).ino]];
  });
}
