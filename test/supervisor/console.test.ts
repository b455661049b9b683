import { Channel, type IncomingMessage } from '../../src/protocol/channel';
import { serve, type SupervisorMessage, supervisorMessage } from '../../src/protocol/control';
import { ConsoleServer } from '../../src/supervisor/console';
import { type StreamPair, streamPair } from '../support/channel/streams';
import { PipedProgram } from '../support/supervisor/piped-program';
import { until } from '../support/until';

const TOKEN = 'c0ffee00'.repeat(4);

let program: PipedProgram;
let server: ConsoleServer;
let signals: number[];
const pairs: StreamPair[] = [];
beforeEach(() => {
  program = new PipedProgram();
  signals = [];
  server = new ConsoleServer(program.stdio, TOKEN, (signo) => signals.push(signo));
});
afterEach(() => {
  for (const pair of pairs.splice(0)) pair.close();
  program.close();
});

/** A console's end of a line to the supervisor. */
class Console {
  readonly messages: SupervisorMessage[] = [];
  /** What the supervisor did not take for a console's message. */
  readonly foreign: SupervisorMessage[] = [];
  private constructor(readonly channel: Channel<SupervisorMessage>) {}

  static async open(): Promise<Console> {
    const pair = await streamPair();
    pairs.push(pair);
    const opened = new Console(new Channel(pair.one, supervisorMessage));
    const supervisor = new Channel<SupervisorMessage>(pair.other, supervisorMessage);
    const handle = async (incoming: IncomingMessage<SupervisorMessage>): Promise<void> => {
      if (!(await server.handle(supervisor, incoming))) opened.foreign.push(incoming.message);
    };
    void serve(supervisor, handle).catch(() => undefined);
    return opened;
  }

  static async attached(received = { stdout: 0, stderr: 0 }): Promise<Console> {
    const opened = await Console.open();
    await opened.attach(received);
    return opened;
  }

  async attach(received = { stdout: 0, stderr: 0 }, token = TOKEN): Promise<SupervisorMessage> {
    const answer = await this.channel.request({ type: 'attach', token, received });
    void this.listen();
    return answer;
  }

  tell(message: SupervisorMessage): Promise<void> {
    return this.channel.send(message);
  }

  textOf(name: 'stdout' | 'stderr'): string {
    return this.messages.map(
      (message) => (message.type === 'output' && message.name === name ? message.data.toString('latin1') : '')
    ).join('');
  }

  has(type: SupervisorMessage['type']): boolean {
    return this.messages.some((message) => message.type === type);
  }

  /** Until all that the supervisor has said by now, and taken from here, has arrived. */
  async settle(): Promise<void> {
    const marks = this.foreign.length;
    await this.tell({ type: 'inspect' });
    await until(() => this.foreign.length > marks);
    if (!program.stdio.ended) await program.settle();
  }

  private async listen(): Promise<void> {
    for await (const incoming of this.channel) if (incoming.kind === 'message') this.messages.push(incoming.message);
  }
}

describe('attaching', () => {
  test('with another token is refused, and shows nothing', async () => {
    program.print('secret');
    const stranger = await Console.open();
    await expect(stranger.attach(undefined, 'f'.repeat(32))).rejects.toMatchObject({ code: 'E_CONSOLE' });
    await stranger.settle();
    expect(stranger.messages).toEqual([]);
  });

  test('a stranger gives neither input nor signals', async () => {
    const stranger = await Console.open();
    await stranger.tell({ type: 'input', position: 0, data: Buffer.from('rm -rf') });
    await stranger.tell({ type: 'kill', signal: 9 });
    await stranger.tell({ type: 'input-ended' });
    await until(() => stranger.foreign.length === 3);
    expect(signals).toEqual([]);
    expect(program.readInput()).toEqual({ data: Buffer.alloc(0), ended: false });
  });

  test('tells how much of the input has been received', async () => {
    program.stdio.input.write(Buffer.from('hello'), 0);
    await until(() => program.stdio.input.received === 5);
    const console = await Console.open();
    expect(await console.attach()).toEqual({ type: 'attached', received: 5 });
  });

  test('brings the output that waits, and what comes', async () => {
    program.print('hello');
    program.print('trouble', 'stderr');
    const console = await Console.attached();
    program.print(' world');
    await until(() => console.textOf('stdout') === 'hello world' && console.textOf('stderr') === 'trouble');
  });

  test('again brings what the first had not received, and the first gets nothing more', async () => {
    const first = await Console.attached();
    program.print('hello');
    await until(() => first.textOf('stdout') === 'hello');
    const second = await Console.attached({ stdout: 2, stderr: 0 });
    program.print(' world');
    await until(() => second.textOf('stdout') === 'llo world');
    expect(second.messages[0]).toMatchObject({ type: 'output', position: 2 });
    await first.settle();
    expect(first.textOf('stdout')).toBe('hello');
  });

  test('again makes the first a stranger', async () => {
    const first = await Console.attached();
    const second = await Console.attached();
    program.print('hello');
    await until(() => second.textOf('stdout') === 'hello');
    await first.tell({ type: 'acknowledge', name: 'stdout', position: 5 });
    await first.tell({ type: 'kill', signal: 9 });
    await until(() => first.foreign.length === 2);
    expect(program.stdio.outputs.stdout.state()).toMatchObject({ acknowledged: 0 });
    expect(signals).toEqual([]);
  });

  test('a first console that goes away later does not take the second with it', async () => {
    const first = await Console.attached();
    const second = await Console.attached();
    first.channel.destroy();
    await first.channel.closed;
    await second.settle();
    program.print('hello');
    await until(() => second.textOf('stdout') === 'hello');
  });

  test('after the line broke goes on where it broke', async () => {
    const first = await Console.attached();
    program.print('hello');
    await until(() => first.textOf('stdout') === 'hello');
    first.channel.destroy();
    await first.channel.closed;
    program.print(' world');
    const second = await Console.attached({ stdout: 5, stderr: 0 });
    await until(() => second.textOf('stdout') === ' world');
  });
});

describe('an attached console', () => {
  test('gives input, and is told when the program has it', async () => {
    const console = await Console.attached();
    await console.tell({ type: 'input', position: 0, data: Buffer.from('hello') });
    await until(() => console.has('input-received'));
    expect(console.messages).toContainEqual({ type: 'input-received', position: 5 });
    expect(program.readInput()).toEqual({ data: Buffer.from('hello'), ended: false });
    await console.tell({ type: 'input-ended' });
    await until(() => program.readInput().ended);
  });

  test('gives signals', async () => {
    const console = await Console.attached();
    await console.tell({ type: 'kill', signal: 15 });
    await until(() => console.has('killed'));
    expect(signals).toEqual([15]);
  });

  test('does not give signals while the program is frozen, but after', async () => {
    const console = await Console.attached();
    server.freeze();
    await console.tell({ type: 'kill', signal: 15 });
    await console.settle();
    expect([signals, console.has('killed')]).toEqual([[], false]);
    server.thaw();
    await until(() => console.has('killed'));
    expect(signals).toEqual([15]);
  });

  test("a signal that the program did not get stays the console's", async () => {
    const console = await Console.attached();
    server.freeze();
    await console.tell({ type: 'kill', signal: 15 });
    await console.settle();
    await server.left({ type: 'moved', host: '10.0.0.2', port: 4807 });
    server.thaw();
    await until(() => console.has('moved'));
    expect([signals, console.has('killed')]).toEqual([[], false]);
  });

  test('is told where the program has gone, and gets nothing more from here', async () => {
    const console = await Console.attached();
    await server.left({ type: 'moved', host: '10.0.0.2', port: 4807 });
    program.print('late');
    await until(() => console.has('moved'));
    await console.settle();
    expect(console.messages).toEqual([{ type: 'moved', host: '10.0.0.2', port: 4807 }]);
  });

  test('leaves everything else to the supervisor', async () => {
    const console = await Console.attached();
    await console.tell({ type: 'inspect' });
    await until(() => console.foreign.length > 0);
    expect(console.foreign).toEqual([{ type: 'inspect' }]);
  });
});

describe('the exit status', () => {
  test('comes when all the output has been acknowledged', async () => {
    const console = await Console.attached();
    program.print('last words');
    program.endOutput('stdout');
    await until(() => console.has('output-ended'));
    let over = false;
    const done = server.exited(3).then(() => (over = true));
    await console.settle();
    expect(console.has('exited')).toBe(false);

    program.endOutput('stderr');
    await until(() => program.stdio.ended);
    await console.tell({ type: 'acknowledge', name: 'stdout', position: 10 });
    await console.tell({
      type: 'acknowledge',
      name: 'stderr',
      position: program.stdio.outputs.stderr.state().unacknowledged.length,
    });
    await until(() => console.has('exited'));
    expect(console.messages).toContainEqual({ type: 'exited', status: 3 });

    expect(over).toBe(false);
    console.channel.destroy();
    await done;
  });

  test("waits for the output's end too, whichever comes first", async () => {
    const console = await Console.attached();
    const done = server.exited(0);
    await console.settle();
    expect(console.has('exited')).toBe(false);
    await console.tell({
      type: 'acknowledge',
      name: 'stderr',
      position: program.stdio.outputs.stderr.state().unacknowledged.length,
    });
    program.endOutputs();
    await until(() => console.has('exited'));
    console.channel.destroy();
    await done;
  });

  test.each(['stdout', 'stderr'] as const)(
    'waits for a console that is still on its way, and so does %s',
    async (name) => {
      program.print('last words', name);
      program.endOutputs();
      await until(() => program.stdio.ended);
      let over = false;
      const done = server.exited(7).then(() => (over = true));
      const console = await Console.attached();
      await until(() => console.textOf(name) === 'last words');
      await console.settle();
      expect(console.has('exited')).toBe(false);
      expect(over).toBe(false);
      await console.tell({ type: 'acknowledge', name, position: 10 });
      await until(() => console.has('exited'));
      expect(console.messages.at(-1)).toEqual({ type: 'exited', status: 7 });
      console.channel.destroy();
      await done;
    },
  );

  test('waits for the next console where the line broke before it was told', async () => {
    program.print('last words');
    program.endOutputs();
    const first = await Console.attached();
    await until(() => first.textOf('stdout') === 'last words');
    let over = false;
    const done = server.exited(7).then(() => (over = true));
    first.channel.destroy();
    await first.channel.closed;
    const second = await Console.attached({ stdout: 10, stderr: 0 });
    await until(() => second.has('exited'));
    expect(over).toBe(false);
    second.channel.destroy();
    await done;
  });
});
