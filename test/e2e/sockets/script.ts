/**
 * What a case does, as text: steps, each at one end of its connection ("m", which moves, or "p", its peer).
 *
 *   m send 1000              the socket_box command, on the case's socket; must answer "ok"
 *   m recv 1 -> error EPIPE  must answer just that
 *   m & recv 1000            goes on with the next step meanwhile; what it answers is "m done"
 *   m state FIN_WAIT1        waits until it is
 */
import type { SocketBox } from '../../support/e2e/socket-box.js';

export type End = 'm' | 'p';
export const ENDS: readonly End[] = ['m', 'p'];

const STATES = ['', 'ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT',
  'LAST_ACK', 'LISTEN', 'CLOSING'];

/** One case's sockets, of the same number in both boxes. */
export class Actors {
  private readonly pending: Partial<Record<End, Promise<string>>> = {};

  constructor(
    private readonly boxes: Readonly<Record<End, SocketBox>>,
    private readonly slot: number,
    /** Words that stand for others, as $peer does for an address. */
    private readonly words: Readonly<Record<string, string>> = {},
  ) {}

  /** Takes the steps; throws at the first one that answers something else. */
  async play(script: string): Promise<void> {
    for (const step of script.split(';').map((text) => text.trim()).filter(Boolean)) await this.step(step);
  }

  async stateOf(end: End): Promise<string> {
    const facts = await this.boxes[end].run(`facts ${this.slot}`);
    return STATES[Number(/state=(-?\d+)/.exec(facts)?.[1])] ?? facts;
  }

  /**
   * Gives the state of an end. If that is none of these, it waits for the first: a FIN that crosses the new path may be
   * on its way.
   */
  async stateAmong(end: End, names: readonly string[]): Promise<string> {
    const state = await this.stateOf(end);
    if (names.includes(state)) return state;
    await this.expectState(end, names[0]!);
    return this.stateOf(end);
  }

  private async step(step: string): Promise<void> {
    const [action, expected = 'ok'] = step.split('->').map((text) => text.trim()) as [string, string?];
    const answer = await this.act(action);
    if (answer === expected || (expected === 'ok' && /^ok\b/.test(answer))) return;
    throw new Error(
      `${action}: ${answer} instead of ${expected}; m is ${await this.stateOf('m')}, p ${await this.stateOf('p')}`,
    );
  }

  private async act(action: string): Promise<string> {
    const words = action.split(' ').map((word) => this.words[word] ?? word);
    const end = words.shift() as End;
    if (words[0] === 'done') return this.pending[end]!;
    if (words[0] === 'state') return this.expectState(end, words[1]!);
    const isBackground = words[0] === '&';
    if (isBackground) words.shift();
    const answer = this.run(end, words.shift()!, words);
    if (!isBackground) return answer;
    this.pending[end] = answer;
    return 'ok';
  }

  /** Runs a command in a thread of the box's own, so that other cases' steps do not wait for it. */
  private run(end: End, command: string, words: readonly string[]): Promise<string> {
    return this.boxes[end].run(['&', command, this.slot, ...words].join(' '));
  }

  private async expectState(end: End, name: string): Promise<string> {
    const answer = await this.run(end, 'state', [String(STATES.indexOf(name))]);
    const state = Number(answer.slice('ok '.length));
    return STATES[state] === name ? 'ok' : `${STATES[state] ?? answer}`;
  }
}
