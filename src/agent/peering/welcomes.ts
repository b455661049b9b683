/** The answering side of HELLO and INTRODUCE. */

import type { Native } from '../../native/contract';
import type { Clock, Ends, Hello, Introduce, IntroduceEntry, Pair, Status } from '../../protocol/inband';
import type { Registrations } from './registrations';
import type { ArrivedSegment, Segments } from './segments';
import type { Sockets } from './sockets';
import type { UdpPeers } from './udp-peers';

/** Between two looks for owners; the longer one takes, the longer the pause, so that looking never fills the day. */
const MIN_PAUSE_MS = 2;
const MAX_PAUSE_MS = 100;

/**
 * How far the sequence numbers that an INTRODUCE has of a connection may be from ours: it has been under way. Who does
 * not know them hits both by chance once in four million times.
 */
const NEAR = 1 << 20;

/** A connection that an agent says is of its program. */
interface Claim {
  readonly pair: Pair;
  readonly group: string;
  readonly token: string;
  /** As this host has them. */
  readonly ends: Ends;
}

/** What waits to be answered: the claims of one segment. */
interface Asked {
  readonly claims: readonly Claim[];
  /** With a status for each claim. */
  readonly answer: (statuses: readonly Status[], claims: readonly Claim[]) => void;
}

export class Welcomes {
  /** By what asks. Answered together, since looking for owners is one look at all processes. */
  private waiting = new Map<string, Asked>();
  private pauseMs = MIN_PAUSE_MS;

  constructor(
    private readonly native: Native,
    private readonly clock: Clock,
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly registrations: Registrations,
    private readonly udpPeers: UdpPeers,
  ) {}

  onHello(hello: Hello, pair: Pair, proved: boolean, segment: ArrivedSegment): void {
    const { group, token } = hello;
    const ends = { local: segment.destination, remote: segment.source, udp: segment.udp };
    const welcome = (registered: boolean, status: Status): void =>
      this.segments.answer(pair.welcome({ ...hello, type: 'welcome', registered, status }, ends), segment);
    if (!proved) return welcome(false, segment.udp || this.native.tcpSequences(ends) !== null ? 'ok' : 'no-socket');
    this.await(`${pair.peerId} ${token}`, {
      claims: [{ pair, group, token, ends }],
      answer: ([status]) => welcome(true, status!),
    });
  }

  /** Of connections between the two addresses that it came from and to; of others anybody could have sent it. */
  onIntroduce(message: Introduce, pair: Pair, segment: ArrivedSegment): void {
    const { group, nonce, address, peerAddress, part, parts, entries } = message;
    if (segment.source.address !== address || segment.destination.address !== peerAddress) return;
    this.await(`${pair.peerId} ${group} ${nonce} ${part}`, {
      claims: entries.flatMap((entry): Claim[] => {
        const ends = { local: { address: peerAddress, port: entry.peerPort }, remote: { address, port: entry.port } };
        return this.knows(entry, ends) ? [{ pair, group, token: entry.token, ends }] : [];
      }),
      answer: (statuses, claims) => {
        const byToken = new Map(claims.map(({ token }, index) => [token, statuses[index]!]));
        const answers = entries.map(({ token }) => ({ token, status: byToken.get(token) ?? ('failed' as const) }));
        this.segments.answer(pair.seal({ type: 'introduced', group, nonce, part, parts, entries: answers }), segment);
      },
    });
  }

  close(): void {
    this.waiting.clear();
  }

  private await(name: string, asked: Asked): void {
    if (this.waiting.size === 0) this.clock.after(this.pauseMs, () => this.register());
    this.waiting.set(name, asked);
  }

  /** Only the ends of a connection know where its streams are. */
  private knows({ sndUna, rcvNxt }: IntroduceEntry, ends: Ends): boolean {
    const ours = this.native.tcpSequences(ends);
    return ours !== null && isNear(ours.rcvNxt, sndUna) && isNear(ours.sndUna, rcvNxt);
  }

  private register(): void {
    const batch = [...this.waiting.values()];
    this.waiting.clear();
    const started = this.clock.now();
    const claims = batch.flatMap((asked) => asked.claims);
    const udp = claims.filter(({ ends }) => ends.udp === true);
    const tcp = claims.filter(({ ends }) => ends.udp !== true);
    const ofUdp = this.udpPeers.register(
      udp.map(({ pair, group, token, ends }) => ({ agent: pair.peerId, group, token, connection: ends })),
    );
    const ofTcp = this.registerTcp(tcp);
    this.pauseMs = Math.min(Math.max(2 * (this.clock.now() - started), MIN_PAUSE_MS), MAX_PAUSE_MS);
    const statuses = new Map([...udp.map((claim, index) => [claim, ofUdp[index]!] as const),
      ...tcp.map((claim, index) => [claim, ofTcp[index]!] as const)]);
    for (const { claims: own, answer } of batch) answer(own.map((claim) => statuses.get(claim)!), own);
  }

  private registerTcp(claims: readonly Claim[]): Status[] {
    const owners = this.sockets.locate(
      claims.map(({ ends }) => ({ connection: ends, owner: this.registrations.find(ends)?.owner ?? null })),
    );
    return claims.map(({ pair, group, token, ends }, index): Status => {
      const owner = owners[index]!;
      if (typeof owner === 'string') return owner;
      this.registrations.add({ agent: pair.peerId, group, token, connection: ends, owner });
      return 'ok';
    });
  }
}

function isNear(one: number, other: number): boolean {
  return Math.abs((one - other) | 0) <= NEAR;
}
