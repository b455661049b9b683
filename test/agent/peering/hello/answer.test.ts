/** Who may name a connection as its own. */

import { HelloAnswerer } from '../../../../src/agent/peering/hello/answer';
import { Registrations } from '../../../../src/agent/peering/hello/registrations';
import type { ArrivedSegment, Segments } from '../../../../src/agent/peering/segments';
import { Sockets } from '../../../../src/agent/peering/sockets';
import { UdpPeers } from '../../../../src/agent/peering/udp-peers';
import type { Introduce, Introduced, Status } from '../../../../src/protocol/inband';
import { acquaint, GROUP, received } from '../../../support/inband/agents';
import { FakeClock, FakeNetwork } from '../../../support/inband/fake-network';
import { Random } from '../../../support/inband/random';
import { FakeHost } from '../../../support/peering/fake-host';

const [SERVER, PEER] = ['10.77.0.1', '10.77.0.3'];
const OWNER = 4_000_002;
const TOKENS = ['00', '01', '02'].map((byte) => byte.repeat(8));
const ends = (port: number) => ({ local: { address: PEER, port }, remote: { address: SERVER, port: 4884 } });

/** A peer's host with three connections to the server, and what an INTRODUCE of them is answered with. */
function setUp() {
  const clock = new FakeClock();
  const host = new FakeHost(
    PEER,
    new FakeNetwork(clock, new Random(1), { loss: 0, duplication: 0, jitterMs: 1 }),
    new Map(),
  );
  TOKENS.forEach((_, index) => host.addSocket(OWNER, ends(40_000 + index)));
  const { a, b, ab, ba } = acquaint();
  const answers: Introduced[] = [];
  const segments = {
    answer: (carried) => answers.push(received('pair', a.receive(carried, ends(1))).message as Introduced),
  } as Partial<Segments> as Segments;
  const registrations = new Registrations(host);
  const inside = host.inside({ clock, keyring: b });
  const sockets = new Sockets(inside);
  const answerer = new HelloAnswerer(inside, {
    segments,
    sockets,
    registrations,
    udpPeers: new UdpPeers(inside, sockets),
  });
  const ask = (
    change: (entry: Introduce['entries'][number]) => object = () => ({}),
    from = SERVER,
    to = PEER,
  ): Status[] | undefined => {
    const entries = TOKENS.map((token, index) => {
      const entry = { token, port: 4884, peerPort: 40_000 + index, sndUna: 7000, rcvNxt: 4000 };
      return { ...entry, ...change(entry) };
    });
    const message: Introduce = {
      type: 'introduce',
      group: GROUP,
      nonce: 1,
      address: SERVER,
      peerAddress: PEER,
      part: 0,
      parts: 1,
      entries,
    };
    const segment = {
      source: { address: from, port: 4884 },
      destination: { address: to, port: 40_000 },
    } as ArrivedSegment;
    answerer.onIntroduce(message, ba, segment);
    clock.advance(1_000);
    return answers.pop()?.entries.map(({ status }) => status);
  };
  return { ask, registrations, ab };
}

describe('an INTRODUCE', () => {
  test('registers what it names', () => {
    const { ask, registrations } = setUp();
    expect(ask()).toEqual(['ok', 'ok', 'ok']);
    expect(registrations.size).toBe(3);
  });

  test.each(['sndUna', 'rcvNxt'] as const)('does not by one who does not know where the streams are (%s)', (number) => {
    const { ask, registrations } = setUp();
    expect(ask((entry) => (entry.peerPort === 40_001 ? { [number]: (entry[number] + (1 << 21)) >>> 0 } : {}))).toEqual([
      'ok',
      'failed',
      'ok',
    ]);
    expect(registrations.size).toBe(2);
  });

  test('does where a number has just passed zero', () => {
    const { ask } = setUp();
    expect(ask(() => ({ rcvNxt: 0xffff_fff0 }))).toEqual(['ok', 'ok', 'ok']);
  });

  test('names a connection that is not there', () => {
    const { ask, registrations } = setUp();
    expect(ask(() => ({ port: 4885 }))).toEqual(['failed', 'failed', 'failed']);
    expect(registrations.size).toBe(0);
  });

  test.each([
    ['from elsewhere', '10.77.0.66', PEER],
    ['to elsewhere', SERVER, '10.77.0.66'],
  ])('of other addresses than it came %s with is not answered', (_what, from, to) => {
    const { ask, registrations } = setUp();
    expect(ask(undefined, from, to)).toBeUndefined();
    expect(registrations.size).toBe(0);
  });
});
