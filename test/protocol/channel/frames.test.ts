import { PassThrough } from 'node:stream';
import { MAX_DATA_BYTES, MAX_MESSAGE_BYTES } from '../../../src/protocol/channel';
import { type Frame, FrameReader, writeFrame } from '../../../src/protocol/channel/frames';
import { Random } from '../../support/inband/random';

function header(length: number, kind: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(length);
  bytes.writeUInt8(kind, 4);
  return bytes;
}

function streamOf(...pieces: Buffer[]): PassThrough {
  const stream = new PassThrough();
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return stream;
}

const firstOf = (stream: PassThrough) => new FrameReader(stream).next();

const protocolError = expect.objectContaining({ code: 'E_PROTOCOL' });

describe('frames', () => {
  test('survive any cutting of the stream', async () => {
    const random = new Random(7);
    const frames = Array.from({ length: 60 }, (_unused, index): Frame => {
      const length = index === 0 ? 0 : random.below(index % 10 === 0 ? 200_000 : 300);
      return { kind: random.next() < 0.5 ? 'message' : 'data', payload: random.bytes(length) };
    });
    const whole = new PassThrough({ highWaterMark: 64 * 1024 * 1024 });
    for (const frame of frames) writeFrame(whole, frame);
    const bytes = whole.read() as Buffer;

    const cut = new PassThrough();
    const reader = new FrameReader(cut);
    const writing = (async () => {
      for (let at = 0; at < bytes.length;) {
        const length = 1 + random.below(random.next() < 0.5 ? 10 : 70_000);
        if (!cut.write(bytes.subarray(at, at + length))) await new Promise((resolve) => cut.once('drain', resolve));
        at += length;
      }
      cut.end();
    })();
    for (const frame of frames) {
      const read = await reader.next();
      expect(read?.kind).toBe(frame.kind);
      expect(read?.payload.equals(frame.payload)).toBe(true);
    }
    expect(await reader.next()).toBeNull();
    await writing;
  });

  test('the largest passes', async () => {
    const stream = new PassThrough();
    writeFrame(stream, { kind: 'data', payload: Buffer.alloc(MAX_DATA_BYTES, 3) });
    expect((await firstOf(stream))?.payload).toHaveLength(MAX_DATA_BYTES);
  });

  test.each([
    ['a message', MAX_MESSAGE_BYTES + 1, 0],
    ['data', MAX_DATA_BYTES + 1, 1],
    ['everything', 0xffffffff, 1],
  ])('%s beyond its limit is refused before it is read', async (_what, length, kind) => {
    await expect(firstOf(streamOf(header(length, kind)))).rejects.toEqual(protocolError);
  });

  test('beyond its limit is not sent either', () => {
    const payload = Buffer.alloc(MAX_MESSAGE_BYTES + 1);
    expect(() => writeFrame(new PassThrough(), { kind: 'message', payload })).toThrow(RangeError);
  });

  test('an unknown kind is refused', async () => {
    await expect(firstOf(streamOf(header(1, 2), Buffer.from('x')))).rejects.toEqual(protocolError);
  });

  test('an end within a frame is refused', async () => {
    await expect(firstOf(streamOf(header(4, 1), Buffer.from('abc')))).rejects.toEqual(protocolError);
    await expect(firstOf(streamOf(header(4, 1)))).rejects.toEqual(protocolError);
    await expect(firstOf(streamOf(Buffer.from('abc')))).rejects.toEqual(protocolError);
  });

  test('a broken stream gives its error', async () => {
    const stream = new PassThrough();
    const reading = firstOf(stream);
    stream.destroy(new Error('broken'));
    await expect(reading).rejects.toThrow('broken');
  });
});
