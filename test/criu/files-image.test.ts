import { Reader, Writer } from 'protobufjs';
import { unbindInImage } from '../../src/criu/files-image';
import { Random } from '../support/inband/random';

const refused = expect.objectContaining({ code: 'E_IMAGE' }) as Error;
const HEAD = Buffer.from([0x19, 0x43, 0x56, 0x54, 0x38, 0x31, 0x30, 0x56]);

interface Socket {
  readonly inode: number;
  readonly state: number;
  readonly source: number;
  readonly destination: number;
}

/** A file_entry with an inet_sk_entry, of whose fields some are not looked at. */
function socketEntry({ inode, state, source, destination }: Socket): Buffer {
  const isk = Writer.create();
  isk.uint32(8).uint32(77).uint32(16).uint32(inode).uint32(24).uint32(2).uint32(48).uint32(state).uint32(56).uint32(
    source,
  ).uint32(64).uint32(destination);
  isk.uint32(88).uint32(0x0100007f).uint32(88).uint32(17).uint32((14 << 3) | 2).bytes(Buffer.from([8, 1, 16, 2]));
  return Buffer.from(Writer.create().uint32(8).uint32(4).uint32(16).uint32(77).uint32(34).bytes(isk.finish()).finish());
}

/** A file_entry of another kind: a pipe. */
function pipeEntry(): Buffer {
  return Buffer.from(
    Writer.create().uint32(8).uint32(1).uint32(16).uint32(78).uint32((18 << 3) | 2).bytes(Buffer.from([8, 9])).finish(),
  );
}

function image(...entries: Buffer[]): Buffer {
  return Buffer.concat([HEAD,
    ...entries.flatMap((entry) => [Buffer.from(Uint32Array.of(entry.length).buffer), entry])]);
}

const bound: Socket = { inode: 4711, state: 1, source: 53, destination: 5353 };

test('the sockets that are meant lose their ports and their state, and nothing else', () => {
  const other = { ...bound, inode: 4712 };
  const before = image(pipeEntry(), socketEntry(bound), socketEntry(other), pipeEntry());
  const after = unbindInImage(before, new Set([4711]));
  expect(after).toEqual(
    image(pipeEntry(), socketEntry({ ...bound, state: 7, source: 0, destination: 0 }), socketEntry(other), pipeEntry()),
  );
});

test('an entry that becomes longer or shorter has its new length', () => {
  const after = unbindInImage(image(socketEntry({ ...bound, source: 60000 }), pipeEntry()), new Set([4711]));
  expect(after.readUInt32LE(8)).toBe(socketEntry({ ...bound, source: 0, destination: 0 }).length);
  expect(Reader.create(after.subarray(12)).uint32()).toBe(8);
});

test('an image without any of them stays as it is', () => {
  const before = image(pipeEntry(), socketEntry(bound));
  expect(unbindInImage(before, new Set([1]))).toEqual(before);
});

describe('is refused where', () => {
  const whole = image(socketEntry(bound));
  test.each<[string, Buffer]>([
    ['it is empty', Buffer.alloc(0)],
    ['it is another image', Buffer.concat([Buffer.alloc(4), whole.subarray(4)])],
    ['its last entry is cut short', whole.subarray(0, -1)],
    ['a length is cut short', Buffer.concat([whole, Buffer.alloc(3)])],
    ['a socket has no inode', image(Buffer.from(Writer.create().uint32(34).bytes(Buffer.from([48, 1])).finish()))],
    ['a field is longer than its entry', image(Buffer.from([34, 100, 1]))],
  ])('%s', (_what, bytes) => {
    expect(() => unbindInImage(bytes, new Set([4711]))).toThrow(refused);
  });

  test('anything is altered, or it is an image still', () => {
    const random = new Random(253);
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(whole);
      for (let change = 0; change <= random.below(3); change++) bytes[random.below(bytes.length)] = random.below(256);
      try {
        unbindInImage(bytes, new Set([4711]));
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_IMAGE' });
      }
    }
  });
});
