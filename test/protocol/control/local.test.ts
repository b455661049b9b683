import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MigrunError } from '../../../src/errors';
import type { Channel, IncomingMessage } from '../../../src/protocol/channel';
import { type AgentMessage, agentMessage, connectLocal, expectType, listenLocal,
  serve } from '../../../src/protocol/control';

let base: string;
let path: string;
const servers: Server[] = [];
const channels: Channel<AgentMessage>[] = [];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'migrun-local-'));
  path = join(base, 'run', 'agent.sock');
});
afterEach(() => {
  for (const channel of channels.splice(0)) channel.destroy();
  for (const server of servers.splice(0)) server.close();
  rmSync(base, { recursive: true });
});

type Handler = (incoming: IncomingMessage<AgentMessage>) => Promise<AgentMessage | void>;

async function listen(handle: Handler, take?: (data: Buffer) => void): Promise<void> {
  servers.push(
    await listenLocal(path, agentMessage, (channel) => {
      channels.push(channel);
      void serve(channel, handle, take).catch(() => undefined);
    }),
  );
}

async function open(): Promise<Channel<AgentMessage>> {
  const channel = await connectLocal(path, agentMessage, 'the agent');
  channels.push(channel);
  return channel;
}

const done: AgentMessage = { type: 'done' };

describe('listenLocal', () => {
  test('is for root alone: the folder and the socket', async () => {
    await listen(() => Promise.resolve(done));
    expect(statSync(join(base, 'run')).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('a folder that others could enter is closed to them', async () => {
    mkdirSync(join(base, 'run'), { mode: 0o755 });
    await listen(() => Promise.resolve(done));
    expect(statSync(join(base, 'run')).mode & 0o777).toBe(0o700);
  });

  test('what a crash left behind is not in the way', async () => {
    mkdirSync(join(base, 'run'));
    writeFileSync(path, '');
    await listen(() => Promise.resolve(done));
    expect(await (await open()).request({ type: 'list' })).toEqual(done);
  });

  test('where it cannot listen it says so', async () => {
    await expect(listenLocal(join(base, 'x'.repeat(200)), agentMessage, () => undefined)).rejects.toMatchObject({
      code: 'E_LISTEN',
    });
  });
});

test('connectLocal: nobody listens', async () => {
  await expect(open()).rejects.toMatchObject({
    code: 'E_NOT_RUNNING',
    message: expect.stringContaining('the agent') as string,
  });
  expect(existsSync(path)).toBe(false);
});

describe('serve', () => {
  test('answers each request, whichever is ready first', async () => {
    let finishFirst: () => void = () => undefined;
    await listen(async ({ message }) => {
      if (message.type === 'list') await new Promise<void>((resolve) => (finishFirst = resolve));
      else finishFirst();
      return message.type === 'list' ? { type: 'listed', programs: [] } : done;
    });
    const channel = await open();
    const answers = await Promise.all([channel.request({ type: 'list' }), channel.request({ type: 'status' })]);
    expect(answers.map(({ type }) => type)).toEqual(['listed', 'done']);
  });

  test('what the handler throws is the answer, and the channel lives on', async () => {
    await listen(({
      message,
    }) => (message.type === 'list'
      ? Promise.reject(new MigrunError('E_BUSY', 'not now', { hint: 'later' }))
      : Promise.resolve(done))
    );
    const channel = await open();
    await expect(channel.request({ type: 'list' })).rejects.toMatchObject({
      code: 'E_BUSY',
      message: 'not now',
      hint: 'later',
    });
    expect(await channel.request({ type: 'status' })).toEqual(done);
  });

  test('a defect is told as one', async () => {
    await listen(() => Promise.reject(new TypeError('x is not a function')));
    await expect((await open()).request({ type: 'list' })).rejects.toMatchObject({
      code: 'E_INTERNAL',
      message: 'x is not a function',
    });
  });

  test('what fails without anybody asking harms nobody', async () => {
    await listen(({ message }) => (message.type === 'done' ? Promise.reject(new Error('no')) : Promise.resolve(done)));
    const channel = await open();
    await channel.send(done);
    expect(await channel.request({ type: 'status' })).toEqual(done);
  });

  test('data comes in its place among the messages', async () => {
    const story: string[] = [];
    await listen(({ message }) => {
      story.push(message.type);
      return Promise.resolve(done);
    }, (data) => story.push(data.toString()));
    const channel = await open();
    await channel.send({ type: 'list' });
    await channel.sendData(Buffer.from('one'));
    await channel.sendData(Buffer.from('two'));
    await channel.request({ type: 'status' });
    expect(story).toEqual(['list', 'one', 'two', 'status']);
  });

  test('a message of another schema ends the channel', async () => {
    await listen(() => Promise.resolve(done));
    const channel = await open();
    await expect(channel.request({ type: 'commit' } as unknown as AgentMessage)).rejects.toMatchObject({
      code: expect.stringMatching(/^E_/) as string,
    });
    await channel.closed;
  });
});

describe('expectType', () => {
  test('gives the message that was asked for', () => {
    expect(expectType(done, 'done')).toBe(done);
  });

  test('refuses another', () => {
    expect(() => expectType(done as AgentMessage, 'listed')).toThrow(
      expect.objectContaining({ code: 'E_PROTOCOL', message: 'expected listed, got done' }) as Error,
    );
  });
});
