/** Answers HELLO and INTRODUCE: another agent's program has these connections to this host. */

import type { Hello, Introduce, IntroduceEntry, Pair, Status } from '../../../protocol/inband';
import { LONGEST_LOOK_INTERVAL_MS, SHORTEST_LOOK_INTERVAL_MS } from '../../../times';
import type { Connection } from '../../../vocabulary/endpoint';
import type { Host } from '../host';
import type { ArrivedSegment, Segments } from '../segments';
import type { Sockets } from '../sockets';
import type { UdpPeers } from '../udp-peers';
import type { Naming, Registrations } from './registrations';

/**
 * How far the sequence numbers that an INTRODUCE has of a connection may be from ours: it has been under way. Who does
 * not know them hits both by chance once in four million times.
 */
const NEAR = 1 << 20;

/** What one segment asks. */
interface Asked {
  readonly namings: readonly Naming[];
  /** Is given a status for each naming. */
  readonly answer: (statuses: readonly Status[], namings: readonly Naming[]) => void;
}

interface HelloAnswererParts {
  readonly segments: Segments;
  readonly sockets: Sockets;
  readonly registrations: Registrations;
  readonly udpPeers: UdpPeers;
}

export class HelloAnswerer {
  /** By what asks. They are answered together: to find out whose the sockets are takes a look at all processes. */
  private waiting = new Map<string, Asked>();
  private waitMs = SHORTEST_LOOK_INTERVAL_MS;

  constructor(private readonly host: Host, private readonly parts: HelloAnswererParts) {}

  onHello(hello: Hello, pair: Pair, proved: boolean, segment: ArrivedSegment): void {
    const { group, token } = hello;
    const connection = { local: segment.destination, remote: segment.source, udp: segment.udp };
    const welcome = (registered: boolean, status: Status): void =>
      this.parts.segments.answer(pair.welcome({ ...hello, type: 'welcome', registered, status }, connection), segment);
    if (!proved) return welcome(false, segment.udp || this.sequences(connection) !== null ? 'ok' : 'no-socket');
    this.await(`${pair.peerId} ${token}`, {
      namings: [{ agent: pair.peerId, group, token, connection }],
      answer: ([status]) => welcome(true, status!),
    });
  }

  /**
   * Believes it of connections between the two addresses that it came from and to; of others anybody could have sent
   * it.
   */
  onIntroduce(message: Introduce, pair: Pair, segment: ArrivedSegment): void {
    const { group, nonce, address, peerAddress, part, parts, entries } = message;
    if (segment.source.address !== address || segment.destination.address !== peerAddress) return;
    this.await(`${pair.peerId} ${group} ${nonce} ${part}`, {
      namings: entries.flatMap((entry): Naming[] => {
        const connection = {
          local: { address: peerAddress, port: entry.peerPort },
          remote: { address, port: entry.port },
        };
        return this.knows(entry, connection) ? [{ agent: pair.peerId, group, token: entry.token, connection }] : [];
      }),
      answer: (statuses, namings) => {
        const byToken = new Map(namings.map(({ token }, index) => [token, statuses[index]!]));
        const answers = entries.map(({ token }) => ({ token, status: byToken.get(token) ?? ('failed' as const) }));
        this.parts.segments.answer(
          pair.seal({ type: 'introduced', group, nonce, part, parts, entries: answers }),
          segment,
        );
      },
    });
  }

  close(): void {
    this.waiting.clear();
  }

  private await(name: string, asked: Asked): void {
    if (this.waiting.size === 0) this.host.clock.after(this.waitMs, () => this.register());
    this.waiting.set(name, asked);
  }

  /** Only the ends of a connection know where its streams are. */
  private knows({ sndUna, rcvNxt }: IntroduceEntry, connection: Connection): boolean {
    const ours = this.sequences(connection);
    return ours !== null && isNear(ours.rcvNxt, sndUna) && isNear(ours.sndUna, rcvNxt);
  }

  private sequences(connection: Connection) {
    return this.host.native.tcpSequences(connection);
  }

  private register(): void {
    const batch = [...this.waiting.values()];
    this.waiting.clear();
    const started = this.host.clock.now();
    const namings = batch.flatMap((asked) => asked.namings);
    const udp = namings.filter(({ connection }) => connection.udp === true);
    const tcp = namings.filter(({ connection }) => connection.udp !== true);
    const ofUdp = this.parts.udpPeers.register(udp);
    const ofTcp = this.registerTcp(tcp);
    this.waitMs = Math.min(
      Math.max(2 * (this.host.clock.now() - started), SHORTEST_LOOK_INTERVAL_MS),
      LONGEST_LOOK_INTERVAL_MS,
    );
    const statuses = new Map([...udp.map((naming, index) => [naming, ofUdp[index]!] as const),
      ...tcp.map((naming, index) => [naming, ofTcp[index]!] as const)]);
    for (const { namings: own, answer } of batch) answer(own.map((naming) => statuses.get(naming)!), own);
  }

  private registerTcp(namings: readonly Naming[]): Status[] {
    const { sockets, registrations } = this.parts;
    const locations = sockets.locate(
      namings.map(({ connection }) => ({ connection, location: registrations.find(connection)?.location ?? null })),
    );
    return namings.map((naming, index): Status => {
      const location = locations[index]!;
      if (typeof location === 'string') return location;
      registrations.add({ ...naming, location });
      return 'ok';
    });
  }
}

function isNear(one: number, other: number): boolean {
  return Math.abs((one - other) | 0) <= NEAR;
}
