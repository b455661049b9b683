/** The answering side of HELLO. */

import type { InbandSegment, Native } from '../../native/contract';
import type { Ends, Hello, Pair, Status } from '../../protocol/inband';
import type { Registrations } from './registrations';
import type { Segments } from './segments';
import type { Sockets } from './sockets';

interface Proved {
  readonly hello: Hello;
  readonly pair: Pair;
  readonly segment: InbandSegment;
  readonly ends: Ends;
}

export class Welcomes {
  /** Answered together, since looking for owners is one scan of all processes. */
  private waiting: Proved[] = [];

  constructor(
    private readonly native: Native,
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly registrations: Registrations,
  ) {}

  onHello(hello: Hello, pair: Pair, proved: boolean, segment: InbandSegment): void {
    const ends = { local: segment.destination, remote: segment.source };
    const one = { hello, pair, segment, ends };
    if (!proved) return this.welcome(one, false, this.native.sequences(ends) === null ? 'no-socket' : 'ok');
    if (this.waiting.push(one) === 1) setImmediate(() => this.register());
  }

  close(): void {
    this.waiting = [];
  }

  private register(): void {
    const batch = this.waiting;
    this.waiting = [];
    const owners = this.sockets.locate(batch.map(({ ends }) => ends));
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
