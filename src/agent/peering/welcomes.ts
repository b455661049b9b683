/** The answering side of HELLO. */

import type { InbandSegment, Native } from '../../native/contract';
import type { Clock, Ends, Hello, Pair, Status } from '../../protocol/inband';
import type { Registrations } from './registrations';
import type { Segments } from './segments';
import type { Sockets } from './sockets';

/** Between two scans; the longer one takes, the longer the pause, so that scanning never fills the day. */
const MIN_PAUSE_MS = 2;
const MAX_PAUSE_MS = 100;

interface Proved {
  readonly hello: Hello;
  readonly pair: Pair;
  readonly segment: InbandSegment;
  readonly ends: Ends;
}

export class Welcomes {
  /** By token. Answered together, since looking for owners is one scan of all processes. */
  private waiting = new Map<string, Proved>();
  private pauseMs = MIN_PAUSE_MS;

  constructor(
    private readonly native: Native,
    private readonly clock: Clock,
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly registrations: Registrations,
  ) {}

  onHello(hello: Hello, pair: Pair, proved: boolean, segment: InbandSegment): void {
    const ends = { local: segment.destination, remote: segment.source };
    const one = { hello, pair, segment, ends };
    if (!proved) return this.welcome(one, false, this.native.sequences(ends) === null ? 'no-socket' : 'ok');
    if (this.waiting.size === 0) this.clock.after(this.pauseMs, () => this.register());
    this.waiting.set(hello.token, one);
  }

  close(): void {
    this.waiting.clear();
  }

  private register(): void {
    const batch = [...this.waiting.values()];
    this.waiting.clear();
    const started = this.clock.now();
    const owners = this.sockets.locate(
      batch.map(({ ends }) => ({ connection: ends, owner: this.registrations.find(ends)?.owner ?? null })),
    );
    this.pauseMs = Math.min(Math.max(2 * (this.clock.now() - started), MIN_PAUSE_MS), MAX_PAUSE_MS);
    batch.forEach((one, index) => {
      const owner = owners[index]!;
      if (typeof owner === 'string') return this.welcome(one, true, owner);
      const { group, token } = one.hello;
      const added = this.registrations.add({ agent: one.pair.peerId, group, token, connection: one.ends, owner });
      this.welcome(one, true, added ? 'ok' : 'failed');
    });
  }

  private welcome({ hello, pair, segment, ends }: Proved, registered: boolean, status: Status): void {
    this.segments.answer(pair.welcome({ ...hello, type: 'welcome', registered, status }, ends), segment);
  }
}
