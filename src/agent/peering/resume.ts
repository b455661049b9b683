/**
 * RESUME: the peers' connections follow to where the program is now.
 *
 * It comes from the source and from the target, in parts, and again and again. A connection is rebound
 * once, whoever asks and how often: with it is remembered where it has gone. A part that names a program which could
 * not be stopped in time gets no answer: it is asked again, and on a busy host that is enough.
 */

import type { MovedConnection, PeerAnswer, ResumeRequest } from '../../protocol/control/index';
import { type Move, type Resume, RESUME_ENTRIES, type Resumed, type ResumeEntry, splitIntoParts, type Status,
  type StatusEntry } from '../../protocol/inband';
import { RESUME_STRETCH_MS } from '../../times';
import { connectionName, type Endpoint, endpointText, onTheWire } from '../../vocabulary/endpoint';
import { type AskedMigrations, entriesByToken, type Party } from './asked-migrations';
import { type Host, localEndAt } from './host';
import { hasDescriptor, type Lock, type LockedConnection, rebindOf } from './lock/lock';
import type { Locks } from './lock/locks';
import type { Rebinder } from './rebind/rebind';
import type { ArrivedSegment, Segments } from './segments';
import type { Sockets } from './sockets';
import type { UdpPeers } from './udp-peers';

const MAX_PARTS_AT_ONCE = 32;

/** One part that has arrived. */
interface Asked {
  readonly message: Resume;
  readonly move: Move;
  readonly lock: Lock;
  readonly segment: ArrivedSegment;
}

/** A connection on its way to its new addresses. */
interface Following {
  readonly lock: Lock;
  readonly connection: LockedConnection;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly peerHas: number;
}

interface ResumeAnswererParts {
  readonly segments: Segments;
  readonly sockets: Sockets;
  readonly locks: Locks;
  readonly rebinder: Rebinder;
  readonly udpPeers: UdpPeers;
}

/** Answers for connections of this host. */
export class ResumeAnswerer {
  private waiting: Asked[] = [];
  private partsAtOnce = 4;

  constructor(private readonly host: Host, private readonly parts: ResumeAnswererParts) {}

  onResume(message: Resume, move: Move, segment: ArrivedSegment): void {
    const lock = this.parts.locks.findResumable(move);
    if (lock === undefined || lock.group !== message.group) return;
    if (this.waiting.push({ message, move, lock, segment }) === 1) setImmediate(() => this.resumeWaiting());
  }

  close(): void {
    this.waiting = [];
  }

  /** Follows some of the parts that have arrived, with one freeze for them all. */
  private resumeWaiting(): void {
    const started = performance.now();
    const batch = this.waiting.splice(0, this.partsAtOnce);
    if (this.waiting.length > 0) setImmediate(() => this.resumeWaiting());
    try {
      this.resume(batch);
    } catch (error) {
      this.host.log.error({ err: error }, 'no peer was resumed; they are asked for again');
    }
    const factor = performance.now() - started < RESUME_STRETCH_MS ? 2 : 0.5;
    if (batch.length === this.partsAtOnce)
      this.partsAtOnce = Math.min(Math.max(1, factor * this.partsAtOnce), MAX_PARTS_AT_ONCE);
  }

  private resume(batch: readonly Asked[]): void {
    const following = new Map<LockedConnection, Following>();
    for (const { message, lock } of batch) {
      this.parts.locks.beginResumption(lock);
      for (const { token, port, peerHas } of message.entries) {
        const connection = lock.connections.get(token);
        if (connection === undefined || connection.movedTo !== null || following.has(connection)) continue;
        const local = localEndAt(connection.registration.connection.local, message.peerAddress);
        if (local === null) continue;
        following.set(connection, { lock, connection, local, remote: { address: message.address, port }, peerHas });
      }
    }
    const statuses = this.follow([...following.values()]);
    for (const asked of batch) this.answer(asked, statuses);
  }

  private follow(following: readonly Following[]): Map<LockedConnection, Status> {
    const { locks, rebinder } = this.parts;
    const statuses = this.takeAbsent(following);
    const found = following.filter(({ connection }) => hasDescriptor(connection));
    if (found.length === 0) return statuses;
    const results = rebinder.rebind(
      following.flatMap(({ connection, local, remote, peerHas }) =>
        hasDescriptor(connection) ? [rebindOf(connection, { local, remote, peerHas })] : []
      ),
    );
    found.forEach(({ connection, remote }, index) => {
      const result = results[index]!;
      statuses.set(connection, result);
      if (result === 'failed') locks.drop([connection]);
      if (result === 'ok') locks.followed(connection, remote);
    });
    for (const lock of new Set(found.map((one) => one.lock))) locks.updateHold(lock);
    return statuses;
  }

  /** After the lease our descriptors are closed: gets them again. The status of what cannot be had. */
  private takeAbsent(following: readonly Following[]): Map<LockedConnection, Status> {
    const absent = following.map(({ connection }) => connection).filter(({ fd }) => fd === null);
    const taken = this.parts.sockets.take(absent.map(({ registration }) => registration));
    const statuses = new Map<LockedConnection, Status>();
    absent.forEach((connection, index) => {
      const one = taken[index]!;
      if (typeof one === 'string') statuses.set(connection, one);
      else connection.fd = one.fd;
    });
    return statuses;
  }

  private answer({ message, move, lock, segment }: Asked, statuses: ReadonlyMap<LockedConnection, Status>): void {
    const { segments, udpPeers } = this.parts;
    const { migration, part, parts, address } = message;
    const asked = message.entries.map(({ token, port }) => ({
      token,
      remote: { address, port },
      connection: lock.connections.get(token),
    }));
    const ofUdp = udpPeers.follow(lock.agent, lock.group, asked.filter(({ connection }) => connection === undefined));
    const entries = asked.map(({ token, remote, connection }) => ({
      token,
      status: connection === undefined
        ? (ofUdp.get(token) ?? 'no-socket')
        : statusOf(connection, remote, statuses),
    }));
    if (entries.some(({ status }) => status === 'busy')) return;
    segments.answer(move.seal({ type: 'resumed', migration, part, parts, entries }), segment);
  }
}

function statusOf(
  connection: LockedConnection,
  remote: Endpoint,
  statuses: ReadonlyMap<LockedConnection, Status>,
): Status {
  const { movedTo } = connection;
  if (movedTo === null) return statuses.get(connection) ?? 'failed';
  return endpointText(movedTo) === endpointText(remote) ? 'ok' : 'failed';
}

type MovedWithToken = MovedConnection & { readonly token: string };
type ResumePart = Pick<Resume, 'address' | 'peerAddress' | 'entries'>;

/**
 * Asks the peers of a program of this host. As target: once the sockets are revived there. The sockets that it is asked
 * on must be locked.
 */
export async function askResume(migrations: AskedMigrations, request: ResumeRequest): Promise<PeerAnswer[]> {
  const { migration, role, tickets, moved } = request;
  if (role === 'target') migrations.adopt(migration, tickets);
  const parties = migrations.parties(role, migration);
  const movedOf = new Map(parties.map((party) => [party, [] as MovedWithToken[]]));
  const known = new Map(
    parties.flatMap((party) => [...party.affected].map(([name, { token }]) => [name, { party, token }])),
  );
  const found = moved.map((each) => {
    const at = known.get(connectionName(each.connection));
    if (at !== undefined) movedOf.get(at.party)?.push({ ...each, token: at.token });
    return at;
  });
  const answered = new Map(
    await Promise.all([...movedOf].map(async ([party, some]) =>
      [party, await resumeAt(migrations, party, some, request)] as const
    )),
  );
  return moved.map(({ connection }, index) => {
    const at = found[index];
    return { connection, status: (at && answered.get(at.party)?.get(at.token)?.status) ?? 'no-agent' };
  });
}

/** By token. */
async function resumeAt(
  migrations: AskedMigrations,
  { move }: Party,
  moved: readonly MovedWithToken[],
  { migration, group, role, deadlineMs }: ResumeRequest,
): Promise<Map<string, StatusEntry>> {
  if (moved.length === 0) return new Map();
  const parts = resumeParts(moved);
  const outcome = await migrations.converse<Resumed>(move.ticket.peerId, migration, {
    deadlineMs,
    requests: parts.length,
    carriers: moved.map(({ connection, to }) => (role === 'source' ? connection : to)),
    request: (part) => move.seal({ type: 'resume', migration, group, ...parts[part]!, part, parts: parts.length }),
    onAnswer: (message, conversation) => {
      if (message.type !== 'resumed') return;
      if (!namesSame(message.entries, parts[message.part]?.entries)) return;
      conversation.accept(message.part, 0, 1, message);
    },
  });
  return entriesByToken(outcome);
}

/** The addresses are a part's; connections may have moved to more than one. */
function resumeParts(moved: readonly MovedWithToken[]): ResumePart[] {
  const byAddresses = new Map<string, { address: string; peerAddress: string; entries: ResumeEntry[] }>();
  for (const { to, token, peerHas } of moved) {
    const { local, remote } = onTheWire(to);
    const name = `${local.address} ${remote.address}`;
    const part = byAddresses.get(name) ?? { address: local.address, peerAddress: remote.address, entries: [] };
    part.entries.push({ token, port: local.port, peerHas });
    byAddresses.set(name, part);
  }
  return [...byAddresses.values()].flatMap(({ entries, ...addresses }) =>
    splitIntoParts(entries, RESUME_ENTRIES).map((part) => ({ ...addresses, entries: part.entries }))
  );
}

function namesSame(answered: readonly { token: string }[], asked: readonly { token: string }[] | undefined): boolean {
  return answered.length === asked?.length && answered.every(({ token }, index) => token === asked[index]?.token);
}
