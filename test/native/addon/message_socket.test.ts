import { writeSync } from 'node:fs';
import { type MessageSocket, native } from '../../../src/native/index.js';
import { until } from '../../support/until.js';

/** A message socket that remembers what came. */
class Ear {
  readonly messages: Buffer[] = [];
  closes = 0;
  readonly socket: MessageSocket;

  constructor(fd: number) {
    this.socket = native.openMessageSocket(fd, (message) => this.messages.push(message), () => this.closes++);
  }
}

const ears: Ear[] = [];
function pair(): [Ear, Ear] {
  const made = native.seqpacketPair().map((fd) => new Ear(fd)) as [Ear, Ear];
  ears.push(...made);
  return made;
}
afterEach(() => {
  for (const ear of ears.splice(0)) ear.socket.close();
});

const failure = (code: string) => expect.objectContaining({ code, syscall: 'send' }) as Error;

describe('openMessageSocket', () => {
  test('messages come whole and in order, both ways', async () => {
    const [one, other] = pair();
    const sent = [1, 100, 65_536].map((length) => Buffer.alloc(length, length));
    for (const message of sent) {
      one.socket.send(message);
      other.socket.send(message);
    }
    await until(() => one.messages.length === 3 && other.messages.length === 3);
    expect([one.messages, other.messages]).toEqual([sent, sent]);
  });

  test('keeps what the socket has no room for, and sends it later', async () => {
    const [one, other] = pair();
    const count = 500;
    for (let i = 0; i < count; i++) one.socket.send(Buffer.alloc(10_000, i));
    await until(() => other.messages.length === count);
    expect(other.messages.every((message, i) => message.length === 10_000 && message[0] === (i & 0xff))).toBe(true);
  });

  test('tells the end once; what was sent before it still comes', async () => {
    const [one, other] = pair();
    one.socket.send(Buffer.from('last'));
    one.socket.close();
    await until(() => other.closes > 0);
    expect(other.messages.map(String)).toEqual(['last']);
    expect([one.closes, other.closes]).toEqual([0, 1]);
    expect(() => other.socket.send(Buffer.from('late'))).toThrow(failure('EBADF'));
  });

  test('an end with messages unread (ECONNRESET) is an end', async () => {
    const [one, other] = native.seqpacketPair();
    writeSync(other, 'never read');
    const ear = new Ear(other);
    ears.push(ear);
    native.closeFd(one);
    await until(() => ear.closes > 0);
    expect(ear.closes).toBe(1);
  });

  test('refuses messages that are too long or empty', () => {
    const [one] = pair();
    expect(() => one.socket.send(Buffer.alloc(65_537))).toThrow(failure('EMSGSIZE'));
    expect(() => one.socket.send(Buffer.alloc(0))).toThrow(failure('EINVAL'));
  });

  test('a message that is too long ends the connection', async () => {
    const [raw, end] = native.seqpacketPair();
    const ear = new Ear(end);
    ears.push(ear);
    writeSync(raw, Buffer.alloc(70_000));
    await until(() => ear.closes > 0);
    expect(ear.messages).toEqual([]);
    native.closeFd(raw);
  });

  test('may be closed from its own callback', async () => {
    const [one, other] = native.seqpacketPair();
    let messages = 0;
    const socket = native.openMessageSocket(other, () => {
      messages++;
      socket.close();
    }, () => undefined);
    writeSync(one, 'first');
    writeSync(one, 'second');
    await until(() => messages > 0);
    expect(() => socket.send(Buffer.from('x'))).toThrow(failure('EBADF'));
    native.closeFd(one);
    expect(messages).toBe(1);
  });
});
