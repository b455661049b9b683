import { INTRODUCE_ENTRIES, LOCKED_ENTRIES, MAX_BODY, MAX_PARTS, RESUME_ENTRIES,
  type SealedMessage } from '../../../src/protocol/inband';
import { decodePayload, encodePayload } from '../../../src/protocol/inband/payload';
import { SEAL_BYTES } from '../../../src/protocol/inband/payload';
import { GROUP, MIGRATION, TOKEN } from '../../support/inband/agents';

const migration = MIGRATION;
const group = GROUP;
const token = TOKEN;

const resumeEntry = { token, port: 65535, peerHas: 0xffffffff };
const lockedEntry = { token, status: 'ok', rcvNxt: 0xfffffffe } as const;

const introduceEntry = { token, port: 65535, peerPort: 1, sndUna: 0xffffffff, rcvNxt: 0 };
const addresses = { address: '10.77.0.1', peerAddress: 'fd77::3' };

const MESSAGES: SealedMessage[] = [
  { type: 'introduce', group, nonce: 0xffffffff, ...addresses, part: 0, parts: 1, entries: [introduceEntry] },
  { type: 'introduced', group, nonce: 5, part: 1, parts: 2, entries: [{ token, status: 'no-owner' }] },
  { type: 'lock', migration, group, leaseMs: 10_000, round: 3, from: 64 },
  { type: 'locked', migration, round: 3, part: 0, parts: 1, entries: [] },
  {
    type: 'locked',
    migration,
    round: 0,
    part: 1,
    parts: 2,
    entries: [lockedEntry, { token: 'ff'.repeat(8), status: 'not-permitted', rcvNxt: 0 }],
  },
  { type: 'working', migration, round: 65_535, ms: 0xffffffff },
  {
    type: 'resume',
    migration,
    group,
    address: '10.77.0.2',
    peerAddress: '10.77.0.3',
    part: 0,
    parts: 1,
    entries: [resumeEntry],
  },
  {
    type: 'resume',
    migration,
    group,
    address: 'fd77::2',
    peerAddress: 'fd77::3',
    part: 4,
    parts: MAX_PARTS,
    entries: [resumeEntry],
  },
  { type: 'resumed', migration, part: 4, parts: MAX_PARTS, entries: [{ token, status: 'failed' }] },
  { type: 'cancel', migration },
  { type: 'cancelled', migration },
  { type: 'claim', migration, restore: 'c1'.repeat(16), leaseMs: 30_000, nonce: 0xffffffff, from: 65_535 },
  { type: 'held', migration, nonce: 3, part: 1, parts: 2, entries: [{ token: 'ab'.repeat(8), status: 'claimed' }] },
];

describe('payloads', () => {
  test.each(MESSAGES)('$type survives', (message) => {
    expect(decodePayload(message.type, encodePayload(message))).toEqual(message);
  });

  test('a full part fits one segment, one entry more does not', () => {
    const resume = (count: number): SealedMessage => ({
      type: 'resume',
      migration,
      group,
      address: 'fd77::2',
      peerAddress: 'fd77::3',
      part: 0,
      parts: 1,
      entries: new Array(count).fill(resumeEntry),
    });
    const locked = (count: number): SealedMessage => ({
      type: 'locked',
      migration,
      round: 0,
      part: 0,
      parts: 1,
      entries: new Array(count).fill(lockedEntry),
    });
    const introduce = (count: number): SealedMessage => ({
      type: 'introduce',
      group,
      nonce: 0,
      address: 'fd77::1',
      peerAddress: 'fd77::3',
      part: 0,
      parts: 1,
      entries: new Array(count).fill(introduceEntry),
    });
    expect(encodePayload(introduce(INTRODUCE_ENTRIES)).length).toBeLessThanOrEqual(MAX_BODY - SEAL_BYTES);
    expect(() => encodePayload(introduce(INTRODUCE_ENTRIES + 1))).toThrow(RangeError);
    expect(encodePayload(resume(RESUME_ENTRIES)).length).toBeLessThanOrEqual(MAX_BODY - SEAL_BYTES);
    expect(() => encodePayload(resume(RESUME_ENTRIES + 1))).toThrow(RangeError);
    expect(encodePayload(locked(LOCKED_ENTRIES)).length).toBeLessThanOrEqual(MAX_BODY - SEAL_BYTES);
    expect(() => encodePayload(locked(LOCKED_ENTRIES + 1))).toThrow(RangeError);
  });

  test('the answers to a full INTRODUCE and a full RESUME fit one segment', () => {
    const answers = (count: number) => new Array(count).fill({ token, status: 'ok' });
    const part = { part: 0, parts: 1 };
    expect(() => encodePayload({ type: 'introduced', group, nonce: 0, ...part, entries: answers(INTRODUCE_ENTRIES) }))
      .not.toThrow();
    expect(() => encodePayload({ type: 'resumed', migration, ...part, entries: answers(RESUME_ENTRIES) })).not
      .toThrow();
  });

  test('ids of a wrong length are not sent', () => {
    expect(() => encodePayload({ type: 'cancel', migration: 'abc' })).toThrow(RangeError);
    expect(() => encodePayload({ type: 'cancel', migration: `${'00'.repeat(15)}zz` })).toThrow(RangeError);
  });

  test.each([
    ['one byte short', (payload: Buffer) => payload.subarray(0, -1)],
    ['one byte long', (payload: Buffer) => Buffer.concat([payload, Buffer.alloc(1)])],
  ])('%s is malformed', (_what, change) => {
    for (const message of MESSAGES) {
      expect(() => decodePayload(message.type, change(encodePayload(message)))).toThrow(
        expect.objectContaining({ code: 'E_MALFORMED' }),
      );
    }
  });

  test('a part beyond its number of parts is malformed', () => {
    const payload = encodePayload({ type: 'resumed', migration, part: 0, parts: 1, entries: [] });
    for (const [part, parts] of [[1, 1], [0, 0], [MAX_PARTS, MAX_PARTS]] as const) {
      payload.writeUInt16BE(part, 16);
      payload.writeUInt16BE(parts, 18);
      expect(() => decodePayload('resumed', payload)).toThrow(expect.objectContaining({ code: 'E_MALFORMED' }));
    }
  });
});
