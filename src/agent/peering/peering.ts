/**
 * A host's in-band service: it asks other hosts' agents for the programs of this host, and answers them for every
 * socket of it, wrapped or not. What is said is in protocol/inband/messages.ts; each message has a folder or a file
 * here, with what asks it and what answers it:
 *
 *   hello/      HELLO, INTRODUCE   which agent is at the other end, and that a connection is of this program
 *   lock/       LOCK, CANCEL       connections are locked, for a lease; or not any more
 *   resume.ts   RESUME             they follow to where the program is now
 *   claim.ts    CLAIM              a restore has what is held to itself
 *
 * What the answers do with sockets is in rebind/ and, where a lock lasts, in hold/; what needs both sides, in hold/
 * too: suspended programs. Only what the keyring has checked comes further than onSegment.
 */

import { join } from 'node:path';
import type { CancelRequest, ClaimRequest, IntroducedPeer, IntroduceRequest, LockedPeer, LockRequest, PeerAnswer,
  PeeringFacts, PeerTicket, ResumeRequest } from '../../protocol/control/index';
import { type Clock, Keyring, type Pair, type PairMessage, type Received, systemClock } from '../../protocol/inband';
import { AskedMigrations } from './asked-migrations';
import { askClaim, ClaimAnswerer } from './claim';
import { HelloAnswerer } from './hello/answer';
import { HelloAsker } from './hello/ask';
import { Registrations } from './hello/registrations';
import { holdRecord, Holds, RecordFiles } from './hold/holds';
import { SuspendedPrograms, suspendedRecord, type SuspendRequest } from './hold/suspended-programs';
import { UserTimeouts } from './hold/user-timeouts';
import { type Host, isOwnAddress } from './host';
import { LockAnswerer } from './lock/answer';
import { askCancel, askLock } from './lock/ask';
import { Locks } from './lock/locks';
import { Owners } from './rebind/owners';
import { Rebinder } from './rebind/rebind';
import { askResume, ResumeAnswerer } from './resume';
import { type ArrivedSegment, Segments } from './segments';
import { Sockets } from './sockets';
import { UdpPeers } from './udp-peers';

interface PeeringOptions extends Pick<Host, 'native' | 'log' | 'programs'> {
  /** If it is set, only agents that have it too are believed. */
  readonly clusterKey: Buffer | null;
  /** The folder in which holds are written down for the next agent of this host; null: nothing outlives this one. */
  readonly holdsDir?: string | null;
  readonly clock?: Clock;
}

export class Peering {
  private readonly host: Host;
  private readonly segments: Segments;
  private readonly registrations: Registrations;
  private readonly migrations: AskedMigrations;
  private readonly locks: Locks;
  private readonly suspendedPrograms: SuspendedPrograms;
  private readonly asker: HelloAsker;
  private readonly answerers: {
    readonly hello: HelloAnswerer;
    readonly lock: LockAnswerer;
    readonly resume: ResumeAnswerer;
    readonly claim: ClaimAnswerer;
  };

  /** Opens the raw sockets in this process's network namespace: needs CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF. */
  constructor({ native, clusterKey, log, programs, holdsDir = null, clock = systemClock }: PeeringOptions) {
    const keyring = new Keyring({ clusterKey, isAsking: (welcome) => this.asker.isAsking(welcome), isOwnAddress });
    const host: Host = this.host = { native, clock, keyring, log, programs };
    const folder = (name: string): string | null => holdsDir && join(holdsDir, name);
    const segments = this.segments = new Segments(host, (segment) => this.onSegment(segment));
    const migrations = this.migrations = new AskedMigrations(host, segments);
    const hello = this.asker = new HelloAsker(host, segments, migrations);
    const sockets = new Sockets(host);
    const registrations = this.registrations = new Registrations(host);
    const udpPeers = new UdpPeers(host, sockets);
    const owners = new Owners(host);
    const rebinder = new Rebinder(host, owners);
    const userTimeouts = new UserTimeouts(host, rebinder);
    const holds = new Holds(host, { owners, userTimeouts, files: new RecordFiles(host, folder('peers'), holdRecord) });
    const locks = this.locks = new Locks(host, { sockets, registrations, owners, holds, userTimeouts });
    this.suspendedPrograms = new SuspendedPrograms(host, {
      hello,
      migrations,
      sockets,
      rebinder,
      userTimeouts,
      files: new RecordFiles(host, folder('programs'), suspendedRecord),
    });
    this.answerers = {
      hello: new HelloAnswerer(host, { segments, sockets, registrations, udpPeers }),
      lock: new LockAnswerer(host, { segments, registrations, locks, udpPeers }),
      resume: new ResumeAnswerer(host, { segments, sockets, locks, rebinder, udpPeers }),
      claim: new ClaimAnswerer(host, { segments, sockets, locks }),
    };
  }

  /** Names this program's connections to the agents at their other ends. May be repeated; must precede `lock`. */
  introduce(request: IntroduceRequest): Promise<IntroducedPeer[]> {
    return this.asker.introduce(request);
  }

  lock(request: LockRequest): Promise<LockedPeer[]> {
    return askLock(this.migrations, this.asker, request);
  }

  /** What a target needs to resume this migration; there after `lock`, and for the target host alone. */
  tickets(migration: string): PeerTicket[] {
    return this.migrations.tickets(migration);
  }

  resume(request: ResumeRequest): Promise<PeerAnswer[]> {
    return askResume(this.migrations, request);
  }

  claim(request: ClaimRequest): Promise<PeerAnswer[]> {
    return askClaim(this.migrations, request);
  }

  cancel(request: CancelRequest): ReturnType<typeof askCancel> {
    return askCancel(this.migrations, request);
  }

  /** Holds a program's connections at both ends; where any status is not ok, nothing is held. */
  suspendProgram(request: SuspendRequest): Promise<PeerAnswer[]> {
    return this.suspendedPrograms.suspend(request);
  }

  /** Ends that. The status is how the peer took it. */
  resumeProgram(group: string): Promise<PeerAnswer[]> {
    return this.suspendedPrograms.resume(group);
  }

  /** How long this program is suspended yet, in milliseconds; undefined: it is not. */
  suspendedForMs(group: string): number | undefined {
    return this.suspendedPrograms.left(group);
  }

  facts(): PeeringFacts {
    const { own, drops } = this.host.keyring;
    return { agent: own.id, registered: this.registrations.size, locks: this.locks.facts(), drops: { ...drops } };
  }

  /** Unlocks whatever is locked, but for holds that are written down. What is being asked ends unanswered. */
  close(): void {
    this.answerers.hello.close();
    this.answerers.resume.close();
    this.asker.close();
    this.migrations.close();
    this.locks.close();
    this.suspendedPrograms.close();
    this.segments.close();
  }

  private onSegment(segment: ArrivedSegment): void {
    const { option, body, source, destination, udp } = segment;
    const received = this.host.keyring.receive({ option, body }, { local: destination, remote: source, udp });
    if (received !== null) this.dispatch(received, segment);
  }

  private dispatch(received: Received, segment: ArrivedSegment): void {
    const { hello, resume, claim, lock } = this.answerers;
    switch (received.kind) {
      case 'hello':
        return hello.onHello(received.message, received.pair, received.proved, segment);
      case 'welcome':
        return this.asker.onWelcome(received.message, received.pair);
      case 'pair':
        return this.onPairMessage(received.message, received.pair, segment);
      case 'move':
        if (received.message.type === 'resume') return resume.onResume(received.message, received.move, segment);
        if (received.message.type === 'claim') return claim.onClaim(received.message, received.move, segment);
        if (received.message.type === 'cancel') return lock.onCancel(received.move, segment);
        return this.migrations.onAnswer(received.move.ticket.peerId, received.message);
    }
  }

  private onPairMessage(message: PairMessage, pair: Pair, segment: ArrivedSegment): void {
    switch (message.type) {
      case 'introduce':
        return this.answerers.hello.onIntroduce(message, pair, segment);
      case 'lock':
        return this.answerers.lock.onLock(message, pair, segment);
      case 'introduced':
      case 'locked':
      case 'working':
        return this.migrations.onAnswer(pair.peerId, message);
    }
  }
}
