/**
 * The asking side of HELLO for one connection: unproved first where the other agent's key is not known, then proved,
 * until the connection is registered or refused there, or the deadline has come: no agent, then.
 */

import { INTRODUCE_INTERVAL_MS } from '../../times';
import type { Connection } from '../../vocabulary/endpoint';
import type { Clock } from './clock';
import { Conversation } from './conversation';
import type { Keyring } from './keyring';
import type { Carried, Hello, Status, Welcome } from './messages';
import type { Pair } from './pair';

export interface IntroductionOptions {
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly hello: Hello;
  readonly ends: Connection;
  /** The pair with the agent that was last heard from at this address. */
  readonly pair: Pair | null;
  readonly deadlineMs: number;
  readonly transmit: (carried: Carried) => void;
}

export interface Welcomed {
  readonly pair: Pair;
  readonly status: Status;
}

export class Introduction {
  private readonly conversation: Conversation<Welcomed>;
  private pair: Pair | null;

  constructor(private readonly options: IntroductionOptions) {
    this.pair = options.pair;
    this.conversation = new Conversation({
      clock: options.clock,
      deadlineMs: options.deadlineMs,
      firstIntervalMs: INTRODUCE_INTERVAL_MS,
      requests: 1,
      transmit: () => this.transmit(),
    });
  }

  /** null: nobody answered. */
  async run(): Promise<Welcomed | null> {
    const { answers } = await this.conversation.start().outcome;
    return answers[0]?.[0] ?? null;
  }

  /** For KeyringOptions.isAsking. */
  isAsking({ group, token, nonce }: Welcome): boolean {
    const { hello } = this.options;
    return group === hello.group && token === hello.token && nonce === hello.nonce;
  }

  /** A WELCOME for this token that the keyring has checked. */
  accept(welcome: Welcome, pair: Pair): void {
    if (welcome.registered || welcome.status !== 'ok') {
      this.conversation.accept(0, 0, 1, { pair, status: welcome.status });
    } else if (pair !== this.pair) {
      this.pair = pair;
      this.transmit();
    }
  }

  stop(): void {
    this.conversation.stop();
  }

  private transmit(): void {
    const { keyring, hello, ends, transmit } = this.options;
    transmit(this.pair === null ? keyring.hello(hello) : this.pair.hello(hello, ends));
  }
}
