import { encode } from '@msgpack/msgpack';
import { z } from 'zod';
import { MigrunError } from '../../../src/errors';
import type { Channel, Incoming } from '../../../src/protocol/channel';
import { writeFrame } from '../../../src/protocol/channel/frames';
import { channelOver, type StreamPair, streamPair, type TestMessage } from '../../support/channel/streams';
import { Random } from '../../support/inband/random';

type TestIncoming = Incoming<TestMessage> | null;

function messageOf(incoming: TestIncoming): TestMessage {
  if (incoming?.kind !== 'message') throw new Error(`no message but ${incoming?.kind ?? 'the end'}`);
  return incoming.message;
}

function dataOf(incoming: TestIncoming): Buffer {
  if (incoming?.kind !== 'data') throw new Error(`no data but ${incoming?.kind ?? 'the end'}`);
  return incoming.data;
}

async function receiveRequest(channel: Channel<TestMessage>) {
  const incoming = await channel.receive();
  if (incoming?.kind !== 'message') throw new Error('no request');
  return incoming;
}

describe('Channel', () => {
  let pair: StreamPair;
  let one: Channel<TestMessage>;
  let other: Channel<TestMessage>;
  beforeEach(async () => {
    pair = await streamPair();
    one = channelOver(pair.one);
    other = channelOver(pair.other);
  });
  afterEach(() => pair.close());

  test('messages and data arrive in order, then the end', async () => {
    await one.send({ type: 'ping', number: 1 });
    await one.sendData(Buffer.from('abc'));
    await one.sendData(Buffer.alloc(0));
    await one.send({ type: 'blob', bytes: Buffer.from([1, 2, 3]) });
    const closing = one.close();
    expect(messageOf(await other.receive())).toEqual({ type: 'ping', number: 1 });
    expect(dataOf(await other.receive())).toEqual(Buffer.from('abc'));
    expect(dataOf(await other.receive())).toHaveLength(0);
    expect(messageOf(await other.receive())).toEqual({ type: 'blob', bytes: Buffer.from([1, 2, 3]) });
    expect(await other.receive()).toBeNull();
    expect(await other.receive()).toBeNull();
    await closing;
    expect(await other.closed).toBeNull();
  });

  test('an optional field that is undefined is left out', async () => {
    await one.send({ type: 'ping', number: 1, note: undefined });
    expect(messageOf(await other.receive())).toEqual({ type: 'ping', number: 1 });
  });

  test('can be read with for await', async () => {
    for (let number = 0; number < 5; number += 1) await one.send({ type: 'ping', number });
    void one.close();
    const numbers: number[] = [];
    for await (const incoming of other) {
      const message = messageOf(incoming);
      if (message.type === 'ping') numbers.push(message.number);
    }
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
  });

  test('answers find their requests, in whatever order', async () => {
    const asked = [1, 2, 3].map((number) => one.request({ type: 'ping', number }));
    const requests = [await receiveRequest(other), await receiveRequest(other), await receiveRequest(other)];
    for (const request of requests.reverse()) {
      const { message } = request;
      if (message.type !== 'ping') throw new Error(message.type);
      await request.reply({ type: 'pong', number: message.number * 10 });
    }
    expect(await Promise.all(asked)).toEqual([10, 20, 30].map((number) => ({ type: 'pong', number })));
  });

  test('both sides may ask at once, and what comes meanwhile is kept', async () => {
    const asked = one.request({ type: 'ping', number: 1 });
    const askedBack = other.request({ type: 'ping', number: 2 });
    await one.sendData(Buffer.from('between'));
    const toOther = await receiveRequest(other);
    const toOne = await receiveRequest(one);
    await toOther.reply({ type: 'pong', number: 1 });
    await toOne.reply({ type: 'pong', number: 2 });
    expect(await asked).toEqual({ type: 'pong', number: 1 });
    expect(await askedBack).toEqual({ type: 'pong', number: 2 });
    expect(dataOf(await other.receive())).toEqual(Buffer.from('between'));
  });

  test('a failure arrives as the error that it was', async () => {
    const asked = one.request({ type: 'ping', number: 1 });
    const request = await receiveRequest(other);
    await request.fail(new MigrunError('E_CPU', 'hostB lacks avx', { hint: 'choose another host' }));
    await expect(asked).rejects.toMatchObject({
      code: 'E_CPU',
      message: 'hostB lacks avx',
      hint: 'choose another host',
    });
  });

  test('a plain message wants no answer', async () => {
    await one.send({ type: 'ping', number: 1 });
    const incoming = await receiveRequest(other);
    expect(incoming.wantsAnswer).toBe(false);
    await expect(incoming.reply({ type: 'pong', number: 1 })).rejects.toThrow('wants no answer');
  });

  test('a request may time out, and its late answer disturbs nobody', async () => {
    await expect(one.request({ type: 'ping', number: 1 }, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'E_TIMEOUT',
    });
    await (await receiveRequest(other)).reply({ type: 'pong', number: 1 });
    const again = one.request({ type: 'ping', number: 2 });
    await (await receiveRequest(other)).reply({ type: 'pong', number: 2 });
    expect(await again).toEqual({ type: 'pong', number: 2 });
  });

  test('a failure with too much to say arrives with what there is room for', async () => {
    const asked = one.request({ type: 'ping', number: 1 });
    const request = await receiveRequest(other);
    await request.fail(new MigrunError('E_PEER', 'x'.repeat(100_000), { hint: 'y'.repeat(100_000) }));
    await expect(asked).rejects.toMatchObject({ code: 'E_PEER', message: 'x'.repeat(16_384) });
  });

  test('the end fails what is asked and what is sent', async () => {
    const asked = one.request({ type: 'ping', number: 1 });
    other.destroy();
    await expect(asked).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
    await one.closed;
    await expect(one.send({ type: 'ping', number: 1 })).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
    await expect(one.request({ type: 'ping', number: 1 })).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
  });

  test('what cannot be encoded fails its sender only', async () => {
    const bad = { type: 'ping', number: 1n } as unknown as TestMessage;
    await expect(one.request(bad)).rejects.toThrow();
    await one.send({ type: 'ping', number: 1 });
    expect(messageOf(await other.receive())).toEqual({ type: 'ping', number: 1 });
  });

  test('close throws away what still comes, and does not wait for the other to read', async () => {
    const sending = Promise.allSettled([1, 2, 3].map(() => other.sendData(Buffer.alloc(500_000))));
    await one.close();
    await sending;
    expect(await one.closed).toBeNull();
  });

  test('a sender waits for a reader', async () => {
    const chunk = Buffer.alloc(1024 * 1024);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 64; sent += 1) await one.sendData(chunk);
      await one.close();
    })();
    // A sender that did not wait would have sent all of it in the first turn.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThan(8);
    let arrived = 0;
    for await (const incoming of other) arrived += dataOf(incoming).length;
    expect(arrived).toBe(64 * chunk.length);
    await sending;
  });

  describe('refuses', () => {
    const bad: [string, Buffer][] = [
      ['what is not msgpack', Buffer.from([0xc1])],
      ['what goes on after its end', Buffer.concat([Buffer.from(encode(1)), Buffer.from([0])])],
      ['no envelope', Buffer.from(encode({ type: 'ping', number: 1 }))],
      ['an unknown type', Buffer.from(encode(['plain', 0, { type: 'nonsense' }]))],
      ['a wrong field', Buffer.from(encode(['plain', 0, { type: 'ping', number: 'one' }]))],
      ['an array that is not there', Buffer.from('dd7fffffff', 'hex')],
    ];
    test.each(bad)('%s', async (_what, payload) => {
      const receiving = other.receive();
      writeFrame(pair.one, { kind: 'message', payload });
      await expect(receiving).rejects.toMatchObject({ code: 'E_PROTOCOL' });
      expect((await other.closed)?.code).toBe('E_PROTOCOL');
    });

    test('an answer that the schema does not know', async () => {
      const asked = one.request({ type: 'ping', number: 1 });
      writeFrame(pair.other, { kind: 'message', payload: Buffer.from(encode(['answer', 1, { type: 'nonsense' }])) });
      await expect(asked).rejects.toMatchObject({ code: 'E_PROTOCOL' });
    });

    test('random bytes, with nothing but that error', async () => {
      const random = new Random(9);
      for (let round = 0; round < 40; round += 1) {
        const fresh = await streamPair();
        const channel = channelOver(fresh.other);
        const receiving = channel.receive();
        if (round % 2 === 0) fresh.one.end(random.bytes(1 + random.below(200)));
        else {
          writeFrame(fresh.one, { kind: 'message', payload: random.bytes(1 + random.below(60)) });
          fresh.one.end();
        }
        await expect(receiving).rejects.toMatchObject({ code: 'E_PROTOCOL' });
        fresh.close();
      }
    });
  });
});

describe('withSchema', () => {
  test('goes on with other messages where the first ones end', async () => {
    const { one, other, close } = await streamPair();
    const sender = channelOver(one);
    const first = channelOver(other);
    const sending = Promise.all([1, 2, 3].map((number) => sender.send({ type: 'ping', number })));
    expect(messageOf(await first.receive())).toEqual({ type: 'ping', number: 1 });
    const second = first.withSchema(z.object({ type: z.literal('ping'), number: z.int().max(2) }));
    expect(await second.receive()).toMatchObject({ message: { type: 'ping', number: 2 } });
    await expect(second.receive()).rejects.toMatchObject({ code: 'E_PROTOCOL' });
    await expect(first.send({ type: 'ping', number: 4 })).rejects.toThrow('handed over');
    await sending;
    close();
  });
});

describe('pipeTo', () => {
  test('hands everything that was not read over, byte for byte, and both ends too', async () => {
    const [outer, inner] = [await streamPair(), await streamPair()];
    const source = channelOver(outer.one);
    const agent = channelOver(outer.other);
    const supervisor = channelOver(inner.other);

    const first = source.request({ type: 'ping', number: 1 });
    const sending = Promise.all(Array.from({ length: 20 }, (_unused, n) => source.sendData(Buffer.alloc(100_000, n))));
    const offer = await receiveRequest(agent);
    await offer.reply({ type: 'pong', number: 1 });
    expect(await first).toEqual({ type: 'pong', number: 1 });

    const piping = agent.pipeTo(inner.one);
    for (let number = 0; number < 20; number += 1) {
      expect(dataOf(await supervisor.receive()).equals(Buffer.alloc(100_000, number))).toBe(true);
    }
    await sending;
    const second = source.request({ type: 'ping', number: 2 });
    await (await receiveRequest(supervisor)).reply({ type: 'pong', number: 2 });
    expect(await second).toEqual({ type: 'pong', number: 2 });
    await expect(agent.send({ type: 'pong', number: 0 })).rejects.toThrow('handed over');

    const closing = source.close();
    expect(await supervisor.receive()).toBeNull();
    await Promise.all([closing, piping, supervisor.closed]);
    outer.close();
    inner.close();
  });

  test('where one side breaks, the other is closed', async () => {
    const [outer, inner] = [await streamPair(), await streamPair()];
    const source = channelOver(outer.one);
    const piping = channelOver(outer.other).pipeTo(inner.one);
    const asked = source.request({ type: 'ping', number: 1 });
    inner.other.destroy();
    await expect(asked).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
    await piping;
    outer.close();
    inner.close();
  });

  test('is refused while the channel is being read', async () => {
    const { one, other, close } = await streamPair();
    const channel = channelOver(one);
    const receiving = channel.receive();
    await expect(channel.pipeTo(other)).rejects.toThrow('being read');
    close();
    await receiving;
  });
});
