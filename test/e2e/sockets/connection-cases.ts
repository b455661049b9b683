/** Every state that a connection can be in when it moves: a case is a line. */

export interface ConnectionCase {
  readonly name: string;
  /** The steps from ESTABLISHED to the state. */
  readonly before: string;
  /** The states of both ends when one moves, and after each move. */
  readonly states: readonly [m: string, p: string];
  /** The states after a move, where they differ: FINs cross again, and may do so in another order. "A|B" is either. */
  readonly moved?: readonly [m: string, p: string];
  /** The steps that must still be possible then. */
  readonly after: string;
}

const E = 'ESTABLISHED';
const GO_ON = 'm send 3000; p recv 3000; p send 3000; m recv 3000';
const END = 'm shut w; p end -> ok 0; p shut w; m end -> ok 0; m state CLOSE';
const ALL = 64 << 20;

export const CONNECTION_CASES: readonly ConnectionCase[] = [
  { name: 'idle', before: '', states: [E, E], after: `${GO_ON}; ${END}` },
  { name: 'used before', before: GO_ON, states: [E, E], after: `${GO_ON}; ${END}` },
  {
    name: 'data received and not read',
    before: 'p send 50000',
    states: [E, E],
    after: `m recv 50000; ${GO_ON}; ${END}`,
  },
  {
    name: 'data received and not read by the peer',
    before: 'm send 50000',
    states: [E, E],
    after: `p recv 50000; ${GO_ON}; ${END}`,
  },
  {
    name: 'data sent and not acknowledged',
    before: 'p deaf; m send 50000',
    states: [E, E],
    after: `p hear; p recv 50000; ${GO_ON}; ${END}`,
  },
  {
    name: 'data sent by the peer and not acknowledged',
    before: 'm deaf; p send 50000',
    states: [E, E],
    after: `m hear; m recv 50000; ${GO_ON}; ${END}`,
  },
  {
    name: 'a full send queue and a window of zero',
    before: `m fill ${ALL}`,
    states: [E, E],
    after: 'm shut w; p end; p send 3000; m recv 3000; p shut w; m end -> ok 0',
  },
  {
    name: 'a full receive queue and a window of zero',
    before: `p fill ${ALL}`,
    states: [E, E],
    after: 'p shut w; m end; m send 3000; p recv 3000; m shut w; p end -> ok 0',
  },
  {
    name: 'full queues in both directions',
    before: `m fill ${ALL}; p fill ${ALL}`,
    states: [E, E],
    after: 'm shut w; p shut w; p end; m end',
  },
  {
    name: 'a blocked writer',
    before: `m & send ${ALL}`,
    states: [E, E],
    after: `p recv ${ALL}; m done -> ok ${ALL}; ${GO_ON}; ${END}`,
  },
  {
    name: 'a blocked writer at the peer',
    before: `p & send ${ALL}`,
    states: [E, E],
    after: `m recv ${ALL}; p done -> ok ${ALL}; ${GO_ON}; ${END}`,
  },
  {
    name: 'a blocked reader',
    before: 'm & recv 3000',
    states: [E, E],
    after: `p send 3000; m done -> ok 3000; ${END}`,
  },
  {
    name: 'a blocked reader at the peer',
    before: 'p & recv 3000',
    states: [E, E],
    after: `m send 3000; p done -> ok 3000; ${END}`,
  },
  {
    name: 'shut down, and the peer knows',
    before: 'm send 3000; p recv 3000; m shut w; m state FIN_WAIT2',
    states: ['FIN_WAIT2', 'CLOSE_WAIT'],
    after: 'p end -> ok 0; p send 3000; m recv 3000; p shut w; m end -> ok 0; m state CLOSE',
  },
  {
    name: 'shut down by the peer',
    before: 'p send 3000; p shut w; m state CLOSE_WAIT',
    states: ['CLOSE_WAIT', 'FIN_WAIT2'],
    after: 'm end -> ok 3000; m send 3000; p recv 3000; m shut w; p end -> ok 0; m state CLOSE',
  },
  {
    name: 'shut down, and the peer has not heard of it',
    before: 'p deaf; m send 3000; m shut w',
    states: ['FIN_WAIT1', E],
    after: 'p hear; p end -> ok 3000; p send 3000; m recv 3000; p shut w; m end -> ok 0',
  },
  {
    name: 'shut down by the peer, not heard yet',
    before: 'm deaf; p send 3000; p shut w',
    states: [E, 'FIN_WAIT1'],
    after: 'm hear; m end -> ok 3000; m send 3000; p recv 3000; m shut w; p end -> ok 0',
  },
  {
    name: 'shut down behind a full queue',
    before: `m fill ${ALL}; m shut w`,
    states: ['FIN_WAIT1', E],
    after: 'p end; p send 3000; m recv 3000; p shut w; m end -> ok 0',
  },
  {
    name: 'shut down by the peer behind a full queue',
    before: `p fill ${ALL}; p shut w`,
    states: [E, 'FIN_WAIT1'],
    after: 'm end; m send 3000; p recv 3000; m shut w; p end -> ok 0',
  },
  {
    name: 'both shut down, neither has heard',
    before: 'm deaf; p deaf; m send 3000; m shut w; p send 3000; p shut w',
    states: ['FIN_WAIT1', 'FIN_WAIT1'],
    after: 'm hear; p hear; p end -> ok 3000; m end -> ok 3000; m state CLOSE',
  },
  {
    name: 'both shut down, only this end has heard',
    before: 'm deaf; p deaf; m shut w; p shut w; m hear; m state CLOSING',
    states: ['CLOSING', 'FIN_WAIT1'],
    moved: ['CLOSING|LAST_ACK', 'FIN_WAIT1'],
    after: 'p hear; p end -> ok 0; m end -> ok 0; m state CLOSE',
  },
  {
    name: 'both shut down, only the peer has heard',
    before: 'm deaf; p deaf; m shut w; p shut w; p hear; p state CLOSING',
    states: ['FIN_WAIT1', 'CLOSING'],
    moved: ['FIN_WAIT1', 'CLOSING|LAST_ACK'],
    after: 'm hear; p end -> ok 0; m end -> ok 0; m state CLOSE',
  },
  {
    name: 'shut down after the peer, which has not heard of it',
    before: 'p send 3000; p shut w; p state FIN_WAIT2; p deaf; m send 3000; m shut w',
    states: ['LAST_ACK', 'FIN_WAIT2'],
    moved: ['LAST_ACK|CLOSING', 'FIN_WAIT1'],
    after: 'p hear; p end -> ok 3000; m end -> ok 3000; m state CLOSE',
  },
  {
    name: 'the peer shut down after this end, which has not heard of it',
    before: 'm send 3000; m shut w; m state FIN_WAIT2; m deaf; p send 3000; p shut w',
    states: ['FIN_WAIT2', 'LAST_ACK'],
    moved: ['FIN_WAIT1', 'LAST_ACK|CLOSING'],
    after: 'm hear; p end -> ok 3000; m end -> ok 3000; m state CLOSE',
  },
];
