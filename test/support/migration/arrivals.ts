/** A channel of a source and one of its target, over a real socket pair; and a program that moves from one to the other. */
import type { WantedByKind } from '../../../src/kinds/look';
import { Channel } from '../../../src/protocol/channel';
import { type Arrival, type SupervisorMessage, supervisorMessage } from '../../../src/protocol/control';
import { streamPair } from '../channel/streams';

export interface ChannelPair {
  readonly source: Channel<SupervisorMessage>;
  readonly target: Channel<SupervisorMessage>;
  close(): void;
}

export async function channelPair(): Promise<ChannelPair> {
  const pair = await streamPair();
  return {
    source: new Channel(pair.one, supervisorMessage),
    target: new Channel(pair.other, supervisorMessage),
    close: () => pair.close(),
  };
}

/** What a program needs that any host could take, of every kind. */
export function modestNeeds(change: WantedByKind = {}): WantedByKind {
  return {
    affinity: [],
    processes: { architecture: process.arch, cpuFlags: [], mapped: [], workingDirectories: ['/'] },
    console: null,
    files: [],
    'file-locks': [],
    unix: { bound: [], others: [] },
    bound: [],
    connecting: { outward: [], inside: [] },
    connections: { connections: [], inside: [] },
    udp: { sockets: [], peers: [] },
    'socket-options': [],
    'accept-queues': [],
    ...change,
  };
}

/** A program that any host could take. */
export function modestArrival(change: Partial<Arrival> = {}): Arrival {
  return {
    migration: 'a'.repeat(32),
    program: {
      id: '1a2b3c4d',
      group: 'b'.repeat(32),
      command: ['./server'],
      pid: 500,
      state: 'running',
      connections: 0,
      startedAt: 0,
    },
    addresses: [],
    needs: modestNeeds(),
    checkpoint: null,
    ...change,
  };
}
