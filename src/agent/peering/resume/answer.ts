/**
 * The answering side of RESUME. It comes from the source and from the target, in parts, repeated: what a connection
 * is worth an answer for is remembered with the connection, so it is rebound once, whoever asks how often. Where a
 * program could not be stopped in time there is no answer: it is asked again, and on a busy host that is enough.
 */

import type { Logger } from 'pino';
import type { Move, Resume, Status } from '../../../protocol/inband';
import { type Endpoint, endpointText } from '../../../vocabulary/endpoint';
import type { Registrations } from '../hello/registrations';
import type { Suspensions } from '../lock/answer';
import type { Member, Suspension } from '../lock/lock';
import { localEndAt } from '../own-addresses';
import type { Rebinder } from '../rebind/rebind';
import type { ArrivedSegment, Segments } from '../segments';
import type { Sockets } from '../sockets';
import type { UdpPeers } from '../udp-peers';

/** Who asks takes a long silence for the end: so many parts are followed at once as take about that long. */
const STRETCH_MS = 100;
const MAX_PARTS_AT_ONCE = 32;

interface Asked {
  readonly message: Resume;
  readonly move: Move;
  readonly suspension: Suspension;
  readonly segment: ArrivedSegment;
}

interface Following {
  readonly suspension: Suspension;
  readonly member: Member;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly peerHas: number;
}

export class Resumptions {
  private waiting: Asked[] = [];
  private partsAtOnce = 4;

  constructor(
    private readonly segments: Segments,
    private readonly sockets: Sockets,
    private readonly registrations: Registrations,
    private readonly suspensions: Suspensions,
    private readonly rebinder: Rebinder,
    private readonly log: Logger,
    private readonly udpPeers: UdpPeers,
  ) {}

  onResume(message: Resume, move: Move, segment: ArrivedSegment): void {
    const suspension = this.suspensions.find(move);
    if (suspension === undefined || suspension.group !== message.group) return;
    const one = { message, move, suspension, segment };
    if (this.waiting.push(one) === 1) setImmediate(() => this.resumeWaiting());
  }

  close(): void {
    this.waiting = [];
  }

  /** Some parts of those that have arrived, with one freeze for them all. */
  private resumeWaiting(): void {
    const started = performance.now();
    const batch = this.waiting.splice(0, this.partsAtOnce);
    if (this.waiting.length > 0) setImmediate(() => this.resumeWaiting());
    try {
      this.resume(batch);
    } catch (error) {
      this.log.error({ err: error }, 'no peer was resumed; they are asked for again');
    }
    const factor = performance.now() - started < STRETCH_MS ? 2 : 0.5;
    if (batch.length === this.partsAtOnce)
      this.partsAtOnce = Math.min(Math.max(1, factor * this.partsAtOnce), MAX_PARTS_AT_ONCE);
  }

  private resume(batch: readonly Asked[]): void {
    const following = new Map<Member, Following>();
    for (const { message, suspension } of batch) {
      this.suspensions.beginResumption(suspension);
      for (const { token, port, peerHas } of message.entries) {
        const member = suspension.members.get(token);
        if (member === undefined || member.moved !== null || following.has(member)) continue;
        const local = localEndAt(member.registration.connection.local, message.peerAddress);
        if (local === null) continue;
        following.set(member, { suspension, member, local, remote: { address: message.address, port }, peerHas });
      }
    }
    const statuses = this.follow([...following.values()]);
    for (const asked of batch) this.answer(asked, statuses);
  }

  private follow(following: readonly Following[]): Map<Member, Status> {
    const statuses = this.hold(following);
    const held = following.filter(({ member }) => member.fd !== null);
    if (held.length === 0) return statuses;
    const results = this.rebinder.rebind(
      held.map(({ member: { fd, inode, patience }, local, remote, peerHas }) => ({
        fd: fd!,
        inode,
        local,
        remote,
        peerHas,
        windowIsShut: patience?.windowWasShut === true,
      })),
    );
    held.forEach(({ member, remote }, index) => {
      const result = results[index]!;
      statuses.set(member, result);
      if (result === 'failed') this.suspensions.drop([member]);
      if (result !== 'ok') return;
      this.suspensions.followed(member);
      member.moved = remote;
      this.registrations.remove(member.registration);
    });
    for (const suspension of new Set(held.map((one) => one.suspension))) this.suspensions.note(suspension);
    return statuses;
  }

  /** After the lease: their descriptors again. */
  private hold(following: readonly Following[]): Map<Member, Status> {
    const absent = following.map(({ member }) => member).filter(({ fd }) => fd === null);
    const taken = this.sockets.take(absent.map(({ registration }) => registration));
    const statuses = new Map<Member, Status>();
    absent.forEach((member, index) => {
      const one = taken[index]!;
      if (typeof one === 'string') statuses.set(member, one);
      else member.fd = one.fd;
    });
    return statuses;
  }

  private answer({ message, move, suspension, segment }: Asked, statuses: ReadonlyMap<Member, Status>): void {
    const { migration, part, parts, address } = message;
    const asked = message.entries.map(({ token, port }) => ({
      token,
      remote: { address, port },
      member: suspension.members.get(token),
    }));
    const ofUdp = this.udpPeers.follow(
      suspension.agent,
      suspension.group,
      asked.filter(({ member }) => member === undefined),
    );
    const entries = asked.map(({ token, remote, member }) => {
      const status = member === undefined ? (ofUdp.get(token) ?? 'no-socket') : statusOf(member, remote, statuses);
      return { token, status };
    });
    if (entries.some(({ status }) => status === 'busy')) return;
    this.segments.answer(move.seal({ type: 'resumed', migration, part, parts, entries }), segment);
  }
}

function statusOf(member: Member, remote: Endpoint, statuses: ReadonlyMap<Member, Status>): Status {
  if (member.moved === null) return statuses.get(member) ?? 'failed';
  return endpointText(member.moved) === endpointText(remote) ? 'ok' : 'failed';
}
