/** The other ends of a program that is to leave: what the source has the agent of its host say to their agents. */
import { MigrunError } from '../../errors';
import type { MigrationTools } from '../../kinds/program';
import { expectType, type PeerTicket, type ResumedPeer } from '../../protocol/control/index';
import { agentTimeout, CANCEL_DEADLINE_MS, HELLO_DEADLINE_MS, LEASE_MARGIN_MS, leaseFor, LOCK_DEADLINE_MS,
  renewalInterval } from '../../times';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import { reasonsOfPeers, refusal } from '../../vocabulary/refusal';

export interface PeerAnswer {
  readonly connection: Connection;
  readonly status: string;
}

/** A peer whose end is locked. */
interface LockedPeer {
  readonly connection: Connection;
  /** What it has received of our stream. */
  readonly rcvNxt: number;
}

export class Peers {
  /** The program's connections with others, as the preflight found them. */
  connections: readonly Connection[] = [];
  /** The peers that have locked their ends, by connectionName. */
  readonly locked = new Map<string, LockedPeer>();
  /** The tickets with which the target speaks to the peers in our name. */
  tickets: PeerTicket[] = [];
  /** The first LOCK; settled when all have answered, or one has not. */
  locking: Promise<void> = Promise.resolve();
  private renewal: Promise<void> = Promise.resolve();
  private unanswered = 0;
  private round = 1;
  private timer: NodeJS.Timeout | undefined;
  private renewedAt: number | undefined;
  private longestGap = 0;
  /** Why a renewal failed; nothing is committed then. */
  private failure: unknown;

  constructor(
    private readonly migration: string,
    private readonly group: string,
    private readonly tools: Pick<MigrationTools, 'agent' | 'log'>,
  ) {}

  /** How long their locks and ours last where nobody renews them. */
  get leaseMs(): number {
    return leaseFor(this.connections.length);
  }

  /** HELLO: which of these connections' other ends can follow. */
  async introduce(connections: readonly Connection[]): Promise<PeerAnswer[]> {
    if (connections.length === 0) return [];
    const { group } = this;
    const answer = await this.tools.agent.ask({
      type: 'introduce',
      group,
      connections: [...connections],
      deadlineMs: HELLO_DEADLINE_MS,
    }, agentTimeout(connections));
    return expectType(answer, 'introduced').peers;
  }

  /**
   * LOCK, answered while the program is frozen, saved and dumped: what each has received is needed for the transfer
   * only.
   */
  beginLock(connections: readonly Connection[]): void {
    this.locking = this.lock(connections, this.leaseMs);
    this.locking.catch(() => undefined); // who awaits it hears of it
  }

  /** LOCK for these and all that are locked already. Rejects where any peer does not lock. */
  async lockAll(connections: readonly Connection[], leaseMs = this.leaseMs): Promise<void> {
    this.round++;
    await this.lock(connections, leaseMs);
  }

  /** LOCK for as long as a hold, for a program that is in a file then. */
  async hold(holdMs: number): Promise<void> {
    await this.renewal; // a peer answers for its last round only
    await this.lockAll(this.lockedConnections(), holdMs);
  }

  /** From now on until `endLease` every lease is renewed in good time, ours as well by `renewOwn`. */
  keepLease(renewOwn: () => void): void {
    this.timer = setInterval(() => {
      renewOwn();
      // A peer answers for its last round only; a LOCK that takes longer than this is a renewal itself.
      if (this.unanswered > 0) return;
      this.renewal = this.lockAll(this.lockedConnections()).catch((error: unknown) => {
        this.failure = error;
        this.tools.log.warn({ err: error }, 'a lease was not renewed');
      });
    }, renewalInterval(this.leaseMs));
  }

  endLease(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /**
   * Is asked just before the commit. Throws E_LEASE where a lease may have ended, now or earlier in this move: a socket
   * that was unlocked for a moment could have acknowledged what its saved state does not have.
   */
  requireLeases(): void {
    this.noteRenewal();
    if (this.failure !== undefined) {
      throw new MigrunError('E_LEASE', 'a peer did not renew its lease', {
        hint: 'does its agent run? try again',
        cause: this.failure,
      });
    }
    if (this.longestGap < this.leaseMs) return;
    const seconds = Math.round(this.leaseMs / 1000);
    throw new MigrunError('E_LEASE', `a lease of ${seconds} s ended before it was renewed`, {
      hint: 'is this host overloaded? try again',
    });
  }

  /** When the last LOCK was asked for; by performance.now(). */
  get lastRenewal(): number {
    return this.renewedAt ?? 0;
  }

  /** CANCEL: the peers go on where they were. */
  async cancel(): Promise<void> {
    const { migration } = this;
    await this.tools.agent.ask({ type: 'cancel', migration, deadlineMs: CANCEL_DEADLINE_MS });
  }

  private lockedConnections(): Connection[] {
    return [...this.locked.values()].map(({ connection }) => connection);
  }

  private async lock(connections: readonly Connection[], leaseMs: number): Promise<void> {
    this.noteRenewal();
    if (connections.length === 0) return;
    this.unanswered++;
    try {
      await this.ask(connections, leaseMs);
    } finally {
      this.unanswered--;
    }
  }

  private async ask(connections: readonly Connection[], leaseMs: number): Promise<void> {
    const { migration, group, round } = this;
    const answer = await this.tools.agent.ask({
      type: 'lock',
      migration,
      group,
      connections: [...connections],
      leaseMs,
      round,
      deadlineMs: LOCK_DEADLINE_MS,
    }, agentTimeout(connections));
    const { peers, tickets } = expectType(answer, 'locked');
    const refused = peers.filter(({ status }) => status !== 'ok');
    if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
    for (const { connection, rcvNxt } of peers) this.locked.set(connectionName(connection), { connection, rcvNxt });
    this.tickets = tickets;
  }

  private noteRenewal(): void {
    const now = performance.now();
    if (this.renewedAt !== undefined) this.longestGap = Math.max(this.longestGap, now - this.renewedAt);
    this.renewedAt = now;
  }
}

/** Gives the peers of whom neither path brought word that they follow. */
export function lostPeers(peers: readonly Connection[], answers: readonly ResumedPeer[]): ResumedPeer[] {
  const statuses = new Map<string, ResumedPeer['status']>();
  for (const { connection, status } of answers) {
    const name = connectionName(connection);
    if (statuses.get(name) !== 'ok') statuses.set(name, status);
  }
  const told = peers.map((connection) => ({
    connection,
    status: statuses.get(connectionName(connection)) ?? ('no-agent' as const),
  }));
  return told.filter(({ status }) => status !== 'ok');
}

/** A peer that was locked then, and heard no more, takes nothing before its lease has ended: not a reset either. */
export async function untilUnlocked(lockedAt: number, leaseMs: number): Promise<void> {
  const left = lockedAt + leaseMs + LEASE_MARGIN_MS - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
