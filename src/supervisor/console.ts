/**
 * The supervisor's side of a console: whoever has the program's token is given its output, and gives its input and
 * signals. The last one that attaches is the console; the one before it is told nothing more.
 */
import { timingSafeEqual } from 'node:crypto';
import { MigrunError } from '../errors';
import type { Channel, IncomingMessage } from '../protocol/channel/index';
import type { SupervisorMessage } from '../protocol/control/index';
import type { OutputName, Stdio } from './stdio';

/** The program moved to another host, or is in a checkpoint now. */
export type Farewell = Extract<SupervisorMessage, { type: 'moved' | 'stopped' }>;

const NAMES: readonly OutputName[] = ['stdout', 'stderr'];

export class ConsoleServer {
  private channel: Channel<SupervisorMessage> | undefined;
  private status: number | undefined;
  private finished: (() => void) | undefined;
  private readonly signals: number[] = [];
  private frozen = false;

  constructor(
    private readonly stdio: Stdio,
    readonly token: string,
    private readonly signal: (signo: number) => void,
  ) {}

  /** Handles a message of a console. False: the message is none of a console's, or its sender is not the console. */
  async handle(channel: Channel<SupervisorMessage>, incoming: IncomingMessage<SupervisorMessage>): Promise<boolean> {
    const { message } = incoming;
    if (message.type === 'attach') {
      this.authenticate(message.token);
      await incoming.reply({ type: 'attached', received: this.stdio.input.received });
      this.attach(channel, message.received);
      return true;
    }
    if (channel !== this.channel) return false;
    switch (message.type) {
      case 'acknowledge':
        this.stdio.outputs[message.name].acknowledge(message.position);
        this.tellStatus();
        return true;
      case 'input':
        this.stdio.input.write(message.data, message.position);
        return true;
      case 'input-ended':
        this.stdio.input.end();
        return true;
      case 'resize':
        this.stdio.resize(message.rows, message.columns);
        return true;
      case 'kill':
        this.signals.push(message.signal);
        this.giveSignals();
        return true;
      default:
        return false;
    }
  }

  /** From here on signals wait: a frozen copy that is killed later must not have taken one. */
  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    this.giveSignals();
  }

  /** The program ended. Resolves when a console, now or later, has all of its output and its status. */
  exited(status: number): Promise<void> {
    this.status = status;
    return new Promise((resolve) => {
      this.finished = resolve;
      this.tellStatus();
    });
  }

  /** The program is not here any more; the console is told where it is. */
  async left(farewell: Farewell): Promise<void> {
    await this.channel?.send(farewell).catch(() => undefined);
    this.detach();
  }

  private authenticate(token: string): void {
    if (!timingSafeEqual(Buffer.from(token, 'hex'), Buffer.from(this.token, 'hex'))) {
      throw new MigrunError('E_CONSOLE', "this console is not the program's");
    }
  }

  private attach(channel: Channel<SupervisorMessage>, received: Record<OutputName, number>): void {
    if (this.channel !== undefined) this.detach();
    this.channel = channel;
    const tell = (message: SupervisorMessage): void => void channel.send(message).catch(() => undefined);
    this.stdio.input.onReceived = (position) => tell({ type: 'input-received', position });
    for (const name of NAMES) {
      const output = this.stdio.outputs[name];
      output.onData = (data, position) => tell({ type: 'output', name, position, data });
      output.onEnd = () => {
        tell({ type: 'output-ended', name });
        this.tellStatus();
      };
      output.attach(received[name]);
    }
    void channel.closed.then(() => {
      if (this.channel === channel) this.detach();
    });
    this.tellStatus();
  }

  private giveSignals(): void {
    while (!this.frozen && this.signals.length > 0) {
      this.signal(this.signals.shift() as number);
      this.channel?.send({ type: 'killed' }).catch(() => undefined);
    }
  }

  /** The console gives signals again that the program has not got, wherever it is then. */
  private detach(): void {
    this.channel = undefined;
    this.signals.length = 0;
    this.stdio.input.onReceived = undefined;
    for (const name of NAMES) this.stdio.outputs[name].detach();
  }

  private tellStatus(): void {
    const { channel, status } = this;
    if (channel === undefined || status === undefined || !this.stdio.ended || !this.stdio.delivered) return;
    void channel.send({ type: 'exited', status }).then(() => channel.closed).catch(() => undefined).then(() =>
      this.finished?.()
    );
  }
}
