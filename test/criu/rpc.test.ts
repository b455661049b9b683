import { Reader, Writer } from 'protobufjs';
import { decodeResponse, encodeNotifyAnswer, encodeRequest } from '../../src/criu/rpc';
import { Random } from '../support/inband/random';

type Field = [number: number, value: number | Uint8Array];

/** A message's fields by their numbers, without knowing what they mean. */
function fieldsOf(message: Uint8Array): Field[] {
  const reader = Reader.create(message);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    fields.push([tag >>> 3, (tag & 7) === 2 ? reader.bytes() : reader.int32()]);
  }
  return fields;
}

const valueOf = (fields: Field[], wanted: number) => fields.find(([number]) => number === wanted)?.[1];
const text = (value: number | Uint8Array | undefined) => Buffer.from(value as Uint8Array).toString();

// Numbers below are those of CRIU's images/rpc.proto.
const [DUMP, RESTORE, NOTIFY, VERSION] = [1, 2, 6, 10];

describe('requests', () => {
  test('a version is asked for by its type alone', () => {
    expect(fieldsOf(encodeRequest('VERSION'))).toEqual([[1, VERSION]]);
  });

  test('a dump says its options', () => {
    const request = fieldsOf(
      encodeRequest('DUMP', {
        pid: 500,
        leave_running: true,
        tcp_close: true,
        network_lock: 'SKIP',
        manage_cgroups_mode: 'IGNORE',
        freeze_cgroup: '/sys/fs/cgroup/x',
        images_dir: '/run/x',
        external: ['tty[1:2]', 'b'],
      }),
    );
    expect(valueOf(request, 1)).toBe(DUMP);
    const options = fieldsOf(valueOf(request, 2) as Uint8Array);
    expect(valueOf(options, 1)).toBe(-1); // images_dir counts only then
    expect(valueOf(options, 2)).toBe(500);
    expect(valueOf(options, 3)).toBe(1);
    expect(valueOf(options, 34)).toBe(0);
    expect(options.filter(([number]) => number === 37).map(([, value]) => text(value))).toEqual(['tty[1:2]', 'b']);
    expect(text(valueOf(options, 44))).toBe('/sys/fs/cgroup/x');
    expect(valueOf(options, 52)).toBe(1);
    expect(valueOf(options, 64)).toBe(3);
    expect(text(valueOf(options, 68))).toBe('/run/x');
  });

  test('a restore says what it inherits', () => {
    const request = fieldsOf(encodeRequest('RESTORE', { inherit_fd: [{ key: 'tty[1:2]', fd: 4 }] }));
    expect(valueOf(request, 1)).toBe(RESTORE);
    const inherited = fieldsOf(valueOf(fieldsOf(valueOf(request, 2) as Uint8Array), 27) as Uint8Array);
    expect(text(valueOf(inherited, 1))).toBe('tty[1:2]');
    expect(valueOf(inherited, 2)).toBe(4);
  });

  test('the answer to a notification lets CRIU go on', () => {
    expect(fieldsOf(encodeNotifyAnswer())).toEqual([[1, NOTIFY], [3, 1]]);
  });
});

describe('responses', () => {
  test('a restored pid', () => {
    const restored = Writer.create().uint32(8).int32(4711).finish();
    const message = Writer.create().uint32(8).int32(RESTORE).uint32(16).bool(true).uint32(34).bytes(restored).finish();
    expect(decodeResponse(Buffer.from(message))).toMatchObject({
      type: 'RESTORE',
      success: true,
      restore: { pid: 4711 },
    });
  });

  test('a notification', () => {
    const notification = Writer.create().uint32(10).string('pre-resume').uint32(16).int32(42).finish();
    const message = Writer.create().uint32(8).int32(NOTIFY).uint32(16).bool(true).uint32(42).bytes(notification)
      .finish();
    expect(decodeResponse(Buffer.from(message))).toMatchObject({
      type: 'NOTIFY',
      notify: { script: 'pre-resume', pid: 42 },
    });
  });

  test('a failure with its errno and its words', () => {
    const message = Writer.create().uint32(8).int32(DUMP).uint32(16).bool(false).uint32(56).int32(3).uint32(74).string(
      'no such task',
    ).finish();
    expect(decodeResponse(Buffer.from(message))).toMatchObject({
      type: 'DUMP',
      success: false,
      cr_errno: 3,
      cr_errmsg: 'no such task',
    });
  });

  test('what a later CRIU adds is passed by', () => {
    const message = Writer.create().uint32(8).int32(VERSION).uint32(16).bool(true).uint32(99 << 3).int32(1).finish();
    expect(decodeResponse(Buffer.from(message))).toMatchObject({ type: 'VERSION', success: true });
  });

  test.each<[string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['text', Buffer.from('Error: no')],
    ['a message that is cut short', Buffer.from([8, 2, 16])],
    ['a message without success', Buffer.from([8, 2])],
  ])('%s is no response', (_what, bytes) => {
    expect(() => decodeResponse(bytes)).toThrow();
  });

  test('garbage is refused or read, and nothing else', () => {
    const random = new Random(42);
    let refused = 0;
    for (let round = 0; round < 5000; round++) {
      try {
        expect(decodeResponse(random.bytes(random.below(64)))).toMatchObject({
          success: expect.any(Boolean) as boolean,
        });
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(4000);
  });
});
