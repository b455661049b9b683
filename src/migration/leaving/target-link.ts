/** The source's way to a target host: its agent, and behind it a supervisor that waits for the program. */
import type { Config } from '../../config';
import { MigrunError } from '../../errors';
import type { Outcome } from '../../program/journal';
import type { Channel } from '../../protocol/channel/index';
import { type Arrival, connectToAgent, expectType, type ResumedPeer, type SupervisorMessage,
  supervisorMessage } from '../../protocol/control/index';
import { LONGEST_OUTCOME_INTERVAL_MS, OPEN_TIMEOUT_MS, OUTCOME_INTERVAL_MS, OUTCOME_TIMEOUT_MS } from '../../times';
import type { Endpoint } from '../../vocabulary/endpoint';
import type { Reason } from '../../vocabulary/refusal';
import { type ImageFile, sendImages } from '../images';

interface Opened {
  readonly channel: Channel<SupervisorMessage>;
  readonly address: string;
  readonly ownAddress: string;
}

/** What a source asks of its target, in this order. */
export class TargetLink {
  private opened: Opened | undefined;
  private received: Promise<void> = Promise.resolve();
  /** When the target said that the program runs there; by performance.now(). */
  runsAt: number | undefined;

  constructor(private readonly config: Config, readonly to: Address, private readonly migration: string) {}

  /** Throws what `connect` does, and what keeps the target from taking a program. */
  async open(program: string): Promise<void> {
    const { config, to, migration } = this;
    const { channel, remoteAddress, localAddress } = await connectToAgent(config, to);
    try {
      const question = { type: 'open-arrival', migration, program } as const;
      expectType(await channel.request(question, { timeoutMs: OPEN_TIMEOUT_MS }), 'opened');
    } catch (error) {
      channel.destroy();
      throw error;
    }
    this.opened = { channel: channel.withSchema(supervisorMessage), address: remoteAddress, ownAddress: localAddress };
  }

  get channel(): Channel<SupervisorMessage> {
    return this.current().channel;
  }

  /** The target's address. */
  get address(): string {
    return this.current().address;
  }

  /** This host's address, as the target sees it. */
  get ownAddress(): string {
    return this.current().ownAddress;
  }

  /** Gives what the target lacks for the program; if it lacks nothing, it has made all ready. */
  async judge(arrival: Arrival, timeoutMs: number): Promise<Reason[]> {
    return expectType(await this.channel.request({ type: 'arrive', arrival }, { timeoutMs }), 'judged').reasons;
  }

  /** Resolves when all is sent, with how many bytes; `restore` waits until the target has it, whole. */
  async send(files: readonly ImageFile[], chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<number> {
    const { bytes, received } = await sendImages(this.channel, files, chunks);
    this.received = received;
    return bytes;
  }

  /** Gives where the peers' connections have their local ends there. */
  async restore(): Promise<Endpoint[]> {
    const [answer] = await Promise.all([this.channel.request({ type: 'restore' }), this.received]);
    return expectType(answer, 'restored').locals;
  }

  /**
   * True: the program is there. False: it never will be. If the answer is lost, the target may have committed: only its
   * journal knows, and asking settles it.
   */
  async commit(timeoutMs: number, onLost: (error: unknown) => void): Promise<boolean> {
    try {
      await this.channel.request({ type: 'commit' }, { timeoutMs });
      return true;
    } catch (error) {
      onLost(error);
      return (await awaitOutcome(this.config, this.to, this.migration)) === 'committed';
    }
  }

  /**
   * The target says when the program runs there, and then who followed. Throws E_TARGET_LOST where it goes away
   * instead; that changes nothing any more.
   */
  async resumed(): Promise<ResumedPeer[]> {
    for await (const incoming of this.channel) {
      if (incoming.kind !== 'message') continue;
      if (incoming.message.type === 'runs') this.runsAt = performance.now();
      if (incoming.message.type === 'resumed') return incoming.message.peers;
    }
    throw new MigrunError('E_TARGET_LOST', 'the target closed the channel after the commit');
  }

  close(): void {
    this.opened?.channel.destroy();
  }

  private current(): Opened {
    if (this.opened === undefined) throw new MigrunError('E_INTERNAL', 'the target is not open');
    return this.opened;
  }
}

/** A host, and the port of its agent. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Resolves once the target's agent has answered. Till then the program stays frozen here: it may be running there, and
 * two copies must never run.
 */
export async function awaitOutcome(config: Config, to: Address, migration: string): Promise<Outcome> {
  for (let waitMs = OUTCOME_INTERVAL_MS;; waitMs = Math.min(waitMs * 2, LONGEST_OUTCOME_INTERVAL_MS)) {
    try {
      const { channel } = await connectToAgent(config, to);
      try {
        const answer = await channel.request({ type: 'ask-outcome', migration }, { timeoutMs: OUTCOME_TIMEOUT_MS });
        return expectType(answer, 'outcome-is').outcome;
      } finally {
        channel.destroy();
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
