import { type Carried, type SealedMessage } from '../../../src/protocol/inband';
import { decodeHello, decodeWelcome } from '../../../src/protocol/inband/handshake';
import { PROTOCOL_VERSION } from '../../../src/protocol/inband/messages';
import { decodePayload } from '../../../src/protocol/inband/payload';
import { decodeSealed } from '../../../src/protocol/inband/seal';
import { MalformedMessage } from '../../../src/protocol/inband/wire';
import { A, acquaint, agent, altered, B, GROUP, HELLO, MIGRATION, TOKEN } from '../../support/inband/agents';
import { Random } from '../../support/inband/random';

const ROUNDS = 3000;
const SEALED = ['lock', 'locked', 'resume', 'resumed', 'cancel', 'cancelled', 'claim', 'held'] as const;

const DECODERS: ((carried: Carried) => unknown)[] = [
  decodeHello,
  decodeWelcome,
  decodeSealed,
  ...SEALED.map((type) => (carried: Carried) => decodePayload(type, carried.body)),
];

function decodeWithAll(carried: Carried): void {
  for (const decode of DECODERS) {
    try {
      decode(carried);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
    }
  }
}

/** Every message as it is sent, and the keyring that it was meant for. */
function valid() {
  const { a, b, ab, ba } = acquaint();
  const source = a.moveAway(ab, MIGRATION);
  const target = agent().moveHere(source.ticket);
  const peer = b.follow(ba, MIGRATION);
  const entries = [{ token: TOKEN, port: 5, peerHas: 6 }];
  const toB: Carried[] = [
    a.hello(HELLO),
    ab.hello(HELLO, A),
    ab.seal({ type: 'lock', migration: MIGRATION, group: GROUP, leaseMs: 1, round: 0, from: 0 }),
    source.seal({
      type: 'resume',
      migration: MIGRATION,
      group: GROUP,
      address: 'fd77::2',
      peerAddress: 'fd77::3',
      part: 0,
      parts: 1,
      entries,
    }),
    source.seal({ type: 'cancel', migration: MIGRATION }),
    target.seal({ type: 'claim', migration: MIGRATION, restore: GROUP, leaseMs: 1, nonce: 2, from: 0 }),
  ];
  const toA: Carried[] = [
    ba.welcome({ ...HELLO, type: 'welcome', registered: true, status: 'ok' }, B),
    ba.seal({
      type: 'locked',
      migration: MIGRATION,
      round: 0,
      part: 0,
      parts: 1,
      entries: [{ token: TOKEN, status: 'ok', rcvNxt: 1 }],
    }),
    peer.seal({ type: 'resumed', migration: MIGRATION, part: 0, parts: 1, entries: [{ token: TOKEN, status: 'ok' }] }),
    peer.seal({ type: 'cancelled', migration: MIGRATION }),
    peer.seal({
      type: 'held',
      migration: MIGRATION,
      nonce: 2,
      part: 0,
      parts: 1,
      entries: [{ token: TOKEN, status: 'claimed' }],
    }),
  ];
  return { a, b, toA, toB };
}

function mutate(random: Random, carried: Carried): Carried {
  return altered(carried, (copy) => {
    const field = random.next() < 0.3 ? 'option' : 'body';
    const bytes = copy[field];
    switch (random.below(3)) {
      case 0:
        for (let flips = 1 + random.below(4); flips > 0; flips -= 1) {
          const at = random.below(bytes.length);
          bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
        }
        break;
      case 1:
        copy[field] = bytes.subarray(0, random.below(bytes.length));
        break;
      default:
        copy[field] = Buffer.concat([bytes, random.bytes(1 + random.below(40))]);
    }
  });
}

function same(one: Carried, other: Carried): boolean {
  return one.option.equals(other.option) && one.body.equals(other.body);
}

describe('decoders', () => {
  test('random bytes give nothing but MalformedMessage', () => {
    const random = new Random(42);
    for (let round = 0; round < ROUNDS; round += 1) {
      const option = random.bytes(random.below(36));
      // Half of them get past the header.
      if (random.next() < 0.5 && option.length >= 2)
        option.writeUInt16BE(((1 + random.below(8)) << 8) | (PROTOCOL_VERSION << 4), 0);
      decodeWithAll({ option, body: random.bytes(random.below(200)) });
    }
  });

  test('random payloads too', () => {
    const random = new Random(43);
    let decoded = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const type of SEALED) {
        const payload = random.bytes(16 + random.below(60));
        try {
          const message: SealedMessage = decodePayload(type, payload);
          decoded += message.type === type ? 1 : 0;
        } catch (error) {
          if (!(error instanceof MalformedMessage)) throw error;
        }
      }
    }
    expect(decoded).toBeGreaterThan(0);
  });

  test('a mutated message is malformed or refused, and never believed', () => {
    const random = new Random(44);
    const { a, b, toA, toB } = valid();
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [keyring, ends, messages] of [[a, A, toA], [b, B, toB]] as const) {
        const original = messages[random.below(messages.length)]!;
        const mutant = mutate(random, original);
        if (same(original, mutant)) continue;
        decodeWithAll(mutant);
        const outcome = keyring.receive(mutant, ends);
        // An unproved HELLO claims nothing that could be false.
        if (outcome === null) refused += 1;
        else expect(outcome).toMatchObject({ kind: 'hello', proved: false });
      }
    }
    expect(refused).toBeGreaterThan(ROUNDS);
  });

  test('afterwards the originals are still believed', () => {
    const random = new Random(45);
    const { a, b, toA, toB } = valid();
    for (const [keyring, ends, messages] of [[a, A, toA], [b, B, toB]] as const) {
      for (let round = 0; round < 300; round += 1)
        keyring.receive(mutate(random, messages[round % messages.length]!), ends);
      for (const message of messages) expect(keyring.receive(message, ends)).not.toBeNull();
    }
  });
});
