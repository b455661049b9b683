/**
 * The console of a program: shows its output, and gives it our input and signals, wherever the program is.
 *
 * The bytes of both directions have positions (supervisor/stdio.ts). So when the line breaks, or the program moves, a
 * new line to the same host or another one goes on exactly where the last one broke off.
 */
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Channel } from '../protocol/channel/index';
import { connectLocal, connectToAgent, expectType, type SupervisorMessage,
  supervisorMessage } from '../protocol/control/index';
import { CONSOLE_INTERVAL_MS, CONSOLE_RETRIES, OPEN_CONSOLE_TIMEOUT_MS } from '../times';
import { note } from './print';

/** So much input may wait for the program; until it has taken some, ours is not read. */
const INPUT_WINDOW = 64 * 1024;

/** EX_TEMPFAIL of sysexits.h: the program is not done, and can go on later. */
const STOPPED_STATUS = 75;

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

/** Where a program's supervisor is. */
export type SupervisorAddress = { readonly kind: 'here'; readonly socket: string } | {
  readonly kind: 'host';
  readonly host: string;
  readonly port: number;
};

export class ConsoleClient {
  private channel: Channel<SupervisorMessage> | undefined;
  private readonly received: { stdout: number; stderr: number };
  /** What the program has not got yet, whether it was sent or not. */
  private readonly input: Buffer[] = [];
  private inputStart: number;
  private inputEnded = false;
  /** Bytes that the program has not got yet, whether they were sent or not. */
  private readonly signals: number[] = [];

  constructor(
    private readonly config: Config,
    private readonly id: string,
    private readonly token: string,
    private readonly terminal: boolean,
    /** Where an earlier console left off. */
    positions = { stdout: 0, stderr: 0, input: 0 },
  ) {
    this.received = { stdout: positions.stdout, stderr: positions.stderr };
    this.inputStart = positions.input;
  }

  /**
   * Resolves with the program's exit status, or STOPPED_STATUS where it became a checkpoint. Throws E_CONSOLE_LOST
   * where its host is out of reach; the program runs on.
   */
  async run(start: SupervisorAddress): Promise<number> {
    const stopInput = this.takeInput();
    try {
      let place = start;
      for (;;) {
        const channel = await this.attach(place);
        const next = await this.follow(channel);
        this.channel = undefined;
        channel.destroy();
        if (typeof next === 'number') return next;
        place = next ?? place;
      }
    } finally {
      stopInput();
    }
  }

  private async attach(place: SupervisorAddress): Promise<Channel<SupervisorMessage>> {
    for (let attempt = 0, waitMs = CONSOLE_INTERVAL_MS;; attempt++, waitMs *= 2) {
      try {
        const channel = await this.open(place);
        const { received } = expectType(
          await channel.request({ type: 'attach', token: this.token, received: this.received }),
          'attached',
        );
        this.channel = channel;
        this.inputTaken(received);
        let position = this.inputStart;
        for (const data of this.input) {
          this.tell({ type: 'input', position, data });
          position += data.length;
        }
        if (this.inputEnded) this.tell({ type: 'input-ended' });
        for (const signal of this.signals) this.tell({ type: 'kill', signal });
        if (this.terminal) this.tellSize();
        return channel;
      } catch (error) {
        if (attempt >= CONSOLE_RETRIES)
          throw new MigrunError(
            'E_CONSOLE_LOST',
            `program ${this.id} is out of reach${place.kind === 'host' ? ` on ${place.host}` : ''}`,
            { hint: 'it runs on; its console is lost', cause: error },
          );
        await setTimeout(waitMs);
      }
    }
  }

  private async open(place: SupervisorAddress): Promise<Channel<SupervisorMessage>> {
    if (place.kind === 'here') return connectLocal(place.socket, supervisorMessage, `program ${this.id}`);
    const { channel } = await connectToAgent(this.config, place);
    try {
      expectType(
        await channel.request({ type: 'open-console', program: this.id }, { timeoutMs: OPEN_CONSOLE_TIMEOUT_MS }),
        'opened',
      );
    } catch (error) {
      channel.destroy();
      throw error;
    }
    return channel.withSchema(supervisorMessage);
  }

  /** Shows output until the program ended (gives its status), moved (gives where to) or the line broke. */
  private async follow(channel: Channel<SupervisorMessage>): Promise<number | SupervisorAddress | undefined> {
    try {
      for await (const incoming of channel) {
        if (incoming.kind !== 'message') continue;
        const { message } = incoming;
        if (message.type === 'output') this.print(message.name, message.position, message.data);
        else if (message.type === 'input-received') this.inputTaken(message.position);
        else if (message.type === 'killed') this.signals.shift();
        else if (message.type === 'moved') return { kind: 'host', host: message.host, port: message.port };
        else if (message.type === 'exited') return message.status;
        else if (message.type === 'stopped') {
          note(`program ${this.id} is in ${message.file} now; it goes on with: migrun restore ${message.file}`);
          return STOPPED_STATUS;
        }
      }
    } catch {
      // Attaching again is all that can be done about it.
    }
    return undefined;
  }

  private print(name: 'stdout' | 'stderr', position: number, data: Buffer): void {
    const fresh = data.subarray(Math.max(0, this.received[name] - position));
    // It goes up even where bytes in between are missing: output may be gone that was printed while there was no
    // console.
    const reached = Math.max(this.received[name], position + data.length);
    this.received[name] = reached;
    process[name].write(fresh, (error) => {
      if (error !== null && error !== undefined) this.kill(constants.signals.SIGPIPE);
      this.tell({ type: 'acknowledge', name, position: reached });
    });
  }

  /** Starts to take input and signals; gives what ends it. */
  private takeInput(): () => void {
    const { stdin, stdout } = process;
    const onData = (data: Buffer): void => {
      this.tell({ type: 'input', position: this.inputStart + this.inputSize(), data });
      this.input.push(data);
      if (this.inputSize() >= INPUT_WINDOW) stdin.pause();
    };
    const onEnd = (): void => {
      this.inputEnded = true;
      this.tell({ type: 'input-ended' });
    };
    const forwards = FORWARDED.map((name) => [name, () => this.kill(constants.signals[name])] as const);
    for (const [name, forward] of forwards) process.on(name, forward);
    const onResize = (): void => this.tellSize();
    if (this.terminal) {
      stdin.setRawMode(true);
      stdout.on('resize', onResize);
    }
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.on('error', onEnd);
    return () => {
      for (const [name, forward] of forwards) process.off(name, forward);
      stdout.off('resize', onResize);
      if (this.terminal) stdin.setRawMode(false);
      stdin.off('data', onData);
      stdin.pause();
    };
  }

  private kill(signal: number): void {
    this.signals.push(signal);
    this.tell({ type: 'kill', signal });
  }

  private tellSize(): void {
    this.tell({ type: 'resize', rows: process.stdout.rows, columns: process.stdout.columns });
  }

  private inputTaken(position: number): void {
    while (this.input[0] !== undefined && this.inputStart < position) {
      const first = this.input[0];
      const taken = Math.min(first.length, position - this.inputStart);
      this.inputStart += taken;
      if (taken === first.length) this.input.shift();
      else this.input[0] = first.subarray(taken);
    }
    if (this.inputSize() < INPUT_WINDOW && !this.inputEnded) process.stdin.resume();
  }

  private inputSize(): number {
    return this.input.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  private tell(message: SupervisorMessage): void {
    this.channel?.send(message).catch(() => undefined); // a broken line shows in `follow`
  }
}
