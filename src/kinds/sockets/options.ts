/**
 * The options that programs set on inet sockets (native/socket/options.h): read from sockets that stand still, and
 * written to what CRIU has made of them, in part before the sockets are bound or connected, in part after.
 */
import { z } from 'zod';
import { MigrunError } from '../../errors';
import { native, type SocketOption } from '../../native/index';
import { socketOption } from '../../protocol/control/index';
import { place } from '../../vocabulary/place';
import type { Reason } from '../../vocabulary/refusal';
import { type ArrivingProgram, defineTravellingKind, type Facts } from '../kind';

const options = z.array(socketOption);

/**
 * A family, type and protocol of sockets, and options that the program has set on one such; each combination is sent
 * once.
 */
const combination = z.object({ family: z.int(), type: z.int(), protocol: z.int(), options });
type Combination = z.infer<typeof combination>;

const socket = place.extend({ options });
type Socket = z.infer<typeof socket>;

export const socketOptions = defineTravellingKind({
  name: 'socket-options',

  needs: {
    schema: z.array(combination),
    of({ sockets }: Facts): Combination[] {
      const all = sockets.filter((one) => one.options.length > 0);
      return distinct(
        all.map(({ family, type, protocol, options }) => ({ family, type, protocol, options: [...options] })),
      );
    },
    /** Tries them by setting them for a moment: a device or a module may be missing, or the kernel be an older one. */
    judge(wanted: Combination[]): Reason[] {
      const refused = wanted.map(({ family, type, protocol, options }) =>
        native.socketRefusedOption(family, type, protocol, options)
      );
      return [...new Set(refused.filter((name) => name !== null))].map((name) => ({
        code: 'E_SOCKET_OPTION',
        message: `${name}, which a socket of the program has set, cannot be set there`,
      }));
    },
  },

  saved: {
    schema: z.array(socket),
    practice: [{ innerPid: 1, fd: 0, options: [{ level: 0, name: 0, value: Buffer.alloc(1) }] }],
  },

  leave: () => {
    let read: SocketOption[][] = [];
    return {
      read: ({ sockets }) => void (read = native.socketReadOptions(sockets.map(({ fd }) => fd))),
      state: (frozen): Socket[] =>
        frozen.sockets.map((one, index) => ({ ...frozen.placeOf(one), options: read[index] ?? [] })),
    };
  },

  arrive: () => ({
    prepare: (saved, program) => write(saved, program, true),
    revive: (saved, program) => write(saved, program, false),
  }),
});

function write(saved: readonly Socket[], { descriptors }: ArrivingProgram, early: boolean): void {
  const fds = saved.map((at) => descriptors.at(at));
  try {
    native.socketWriteOptions(fds, saved.map(({ options }) => options), early);
  } catch (cause) {
    const option = (cause as { syscall?: string }).syscall ?? 'option';
    throw new MigrunError('E_SOCKET_OPTION', `a socket's ${option} cannot be set here`, { cause });
  }
}

/** Gives each item once: many sockets have the same options, and a group of SO_REUSEPORT is one. */
export function distinct<Item>(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
