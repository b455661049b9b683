/** A channel of a source and one of its target, over a real socket pair. */
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
    architecture: process.arch,
    cpuFlags: [],
    files: [],
    descriptors: { opened: [], locked: [], unixNames: [], unixPeers: [] },
    workingDirectories: ['/'],
    connecting: [],
    bound: [],
    connections: [],
    inside: [],
    udp: [],
    addresses: [],
    options: [],
    checkpoint: null,
    terminal: null,
    ...change,
  };
}
