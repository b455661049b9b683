/**
 * A host's in-band service: it asks other hosts' agents for the programs of this host, and answers them for every
 * socket of it, wrapped or not.
 *
 *   asking      introduce -> HELLO, INTRODUCE      suspend -> SUSPEND      resume -> RESUME      cancel -> CANCEL
 *   answering   welcomes.ts                        suspensions.ts          resumptions.ts        suspensions.ts
 *
 *   asking      ask -> ASK
 *   answering   claims.ts
 *
 * Only what the keyring has checked comes further than onSegment.
 */

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Native } from '../../native/contract';
import { type Clock, Keyring, type Pair, type PairMessage, type Received, systemClock } from '../../protocol/inband';
import { Moves } from './asked-migrations';
import { Claims } from './claim/answer';
import { Welcomes } from './hello/answer';
import { Introductions } from './hello/ask';
import { Registrations } from './hello/registrations';
import { holdRecord, Holds } from './hold/holds';
import { StateFiles } from './hold/record-files';
import { pauseRecord, Pauses } from './hold/suspended-programs';
import { Patience } from './hold/user-timeouts';
import { Suspensions } from './lock/answer';
import { isOwnAddress } from './own-addresses';
import { Owners } from './rebind/owners';
import { Rebinder } from './rebind/rebind';
import { Resumptions } from './resume/answer';
import { type ArrivedSegment, Segments } from './segments';
import { Sockets } from './sockets';
import type { AskRequest, CancelledAgent, CancelRequest, IntroducedConnection, IntroduceRequest, LocalPrograms,
  PauseRequest } from './types';
import type { PeeringFacts, PeerTicket, ResumedConnection, ResumeRequest } from './types';
import type { SuspendedConnection, SuspendRequest } from './types';
import { UdpPeers } from './udp-peers';

export interface PeeringOptions {
  readonly native: Native;
  /** Where set, only agents that have it too are believed. */
  readonly clusterKey: Buffer | null;
  readonly log: Logger;
  readonly programs: LocalPrograms;
  /** Where what is held for long is written down for the next agent of this host; null: nothing outlives this one. */
  readonly holdsDir?: string | null;
  readonly clock?: Clock;
}

export class Peering {
  private readonly keyring: Keyring;
  private readonly segments: Segments;
  private readonly introductions: Introductions;
  private readonly moves: Moves;
  private readonly registrations: Registrations;
  private readonly welcomes: Welcomes;
  private readonly suspensions: Suspensions;
  private readonly claims: Claims;
  private readonly resumptions: Resumptions;
  private readonly pauses: Pauses;

  /** Opens the raw sockets in this process's network namespace: needs CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF. */
  constructor({ native, clusterKey, log, programs, holdsDir = null, clock = systemClock }: PeeringOptions) {
    this.keyring = new Keyring({
      clusterKey,
      isAsking: (welcome) => this.introductions.isAsking(welcome),
      isOwnAddress,
    });
    this.segments = new Segments(native, log, (segment) => this.onSegment(segment));
    this.introductions = new Introductions(native, clock, this.keyring, this.segments);
    this.moves = new Moves(clock, this.keyring, this.segments, this.introductions);
    const sockets = new Sockets(native, programs);
    this.registrations = new Registrations(native);
    const udpPeers = new UdpPeers(native, programs, log);
    this.welcomes = new Welcomes(native, clock, this.segments, sockets, this.registrations, udpPeers);
    const owners = new Owners(native);
    const rebinder = new Rebinder(native, programs, owners, log);
    const patience = new Patience(native, rebinder, log);
    const holds = new Holds(
      this.keyring,
      owners,
      patience,
      new StateFiles(holdsDir && join(holdsDir, 'peers'), holdRecord, log),
    );
    this.suspensions = new Suspensions(
      native,
      clock,
      log,
      this.keyring,
      this.segments,
      sockets,
      this.registrations,
      owners,
      holds,
      patience,
      udpPeers,
    );
    this.claims = new Claims(clock, this.segments, sockets, this.suspensions);
    const pauseFiles = new StateFiles(holdsDir && join(holdsDir, 'programs'), pauseRecord, log);
    this.pauses = new Pauses(
      native,
      clock,
      log,
      this.introductions,
      this.moves,
      sockets,
      rebinder,
      patience,
      pauseFiles,
    );
    this.resumptions = new Resumptions(
      this.segments,
      sockets,
      this.registrations,
      this.suspensions,
      rebinder,
      log,
      udpPeers,
    );
  }

  /** Names this program's connections to the agents at their other ends. May be repeated; must precede suspend. */
  introduce(request: IntroduceRequest): Promise<IntroducedConnection[]> {
    return this.introductions.introduce(request);
  }

  suspend(request: SuspendRequest): Promise<SuspendedConnection[]> {
    return this.moves.suspend(request);
  }

  /** After suspend; for the target host alone. */
  tickets(migration: string): PeerTicket[] {
    return this.moves.tickets(migration);
  }

  /** As target: once the sockets are revived there. The sockets that it is asked on must be locked. */
  resume(request: ResumeRequest): Promise<ResumedConnection[]> {
    return this.moves.resume(request);
  }

  /** As target: which of a checkpoint's connections the peers hold, and keep for this restore. */
  ask(request: AskRequest): Promise<ResumedConnection[]> {
    return this.moves.ask(request);
  }

  cancel(request: CancelRequest): Promise<CancelledAgent[]> {
    return this.moves.cancel(request);
  }

  /** A migration that was asked for here is over. */
  forget(migration: string): void {
    this.moves.forget(migration);
  }

  /** Holds a program's connections at both ends; where any status is not ok, nothing is held. */
  pause(request: PauseRequest): Promise<ResumedConnection[]> {
    return this.pauses.pause(request);
  }

  /** Ends that. The status is how the peer took it. */
  endPause(group: string): Promise<ResumedConnection[]> {
    return this.pauses.resume(group);
  }

  /** How long this program is paused yet, in milliseconds; undefined: it is not. */
  pauseLeft(group: string): number | undefined {
    return this.pauses.left(group);
  }

  /** Whether a connection of this process is locked for another host's migration now. */
  isSuspended(pid: number): boolean {
    return this.suspensions.isSuspended(pid);
  }

  facts(): PeeringFacts {
    return {
      agent: this.keyring.own.id,
      drops: this.keyring.drops.all(),
      registered: this.registrations.size,
      suspensions: this.suspensions.facts(),
    };
  }

  /** Unlocks whatever is locked, but for holds that are written down. What is being asked ends unanswered. */
  close(): void {
    this.welcomes.close();
    this.resumptions.close();
    this.introductions.close();
    this.moves.close();
    this.suspensions.close();
    this.pauses.close();
    this.segments.close();
  }

  private onSegment(segment: ArrivedSegment): void {
    const { option, body, source, destination, udp } = segment;
    const received = this.keyring.receive({ option, body }, { local: destination, remote: source, udp });
    if (received !== null) this.dispatch(received, segment);
  }

  private dispatch(received: Received, segment: ArrivedSegment): void {
    switch (received.kind) {
      case 'hello':
        return this.welcomes.onHello(received.message, received.pair, received.proved, segment);
      case 'welcome':
        return this.introductions.onWelcome(received.message, received.pair);
      case 'pair':
        return this.onPairMessage(received.message, received.pair, segment);
      case 'move':
        if (received.message.type === 'resume') {
          return this.resumptions.onResume(received.message, received.move, segment);
        }
        if (received.message.type === 'ask') return this.claims.onAsk(received.message, received.move, segment);
        if (received.message.type === 'cancel') return this.suspensions.onCancel(received.move, segment);
        return this.moves.onAnswer(received.move.ticket.peerId, received.message);
    }
  }

  private onPairMessage(message: PairMessage, pair: Pair, segment: ArrivedSegment): void {
    switch (message.type) {
      case 'introduce':
        return this.welcomes.onIntroduce(message, pair, segment);
      case 'introduced':
        return this.introductions.onIntroduced(message, pair);
      case 'suspend':
        return this.suspensions.onSuspend(message, pair, segment);
      case 'suspended':
      case 'working':
        return this.moves.onAnswer(pair.peerId, message);
    }
  }
}
