import { createPublicKey, randomBytes } from 'node:crypto';
import { Keyring, type Lock, type Resume } from '../../../src/protocol/inband';
import { generateKeyPair, keyId } from '../../../src/protocol/inband/keys';
import { derivePairKey } from '../../../src/protocol/inband/keys';
import { PROTOCOL_VERSION } from '../../../src/protocol/inband/messages';
import { A, acquaint, agent, altered, B, GROUP, HELLO, MIGRATION, received, TOKEN } from '../../support/inband/agents';

const LOCK: Lock = { type: 'lock', migration: MIGRATION, group: GROUP, leaseMs: 5000, round: 0, from: 0 };
const RESUME: Resume = {
  type: 'resume',
  migration: MIGRATION,
  group: GROUP,
  address: '10.77.0.2',
  peerAddress: '10.77.0.3',
  part: 0,
  parts: 1,
  entries: [{ token: TOKEN, port: 40000, peerHas: 9 }],
};
const WELCOME = { ...HELLO, type: 'welcome', registered: false, status: 'ok' } as const;

describe('keys', () => {
  test('both sides derive the same pair key, and another one with another cluster key', () => {
    const [one, two] = [generateKeyPair(), generateKeyPair()];
    const cluster = randomBytes(32);
    expect(derivePairKey(one, two.publicKey, cluster)).toEqual(derivePairKey(two, one.publicKey, cluster));
    expect(derivePairKey(one, two.publicKey, cluster)).not.toEqual(derivePairKey(one, two.publicKey, null));
  });

  test('the raw public key is the key', () => {
    const { publicKey, id } = generateKeyPair();
    const jwk = { kty: 'OKP', crv: 'X25519', x: publicKey.toString('base64url') };
    expect(createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyType).toBe('x25519');
    expect(keyId(publicKey)).toBe(id);
  });

  test.each([Buffer.alloc(32), Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])])(
    'a public key of low order is malformed',
    (publicKey) => {
      expect(() => derivePairKey(generateKeyPair(), publicKey, null)).toThrow(
        expect.objectContaining({ code: 'E_MALFORMED' }),
      );
    },
  );
});

describe('HELLO and WELCOME', () => {
  test('fit the option, and make two agents acquainted', () => {
    const a = agent();
    expect(a.hello(HELLO).option).toHaveLength(34);
    const { ab, ba } = acquaint(a);
    expect(ab.key).toEqual(ba.key);
    expect(ab.seal(LOCK).option).toHaveLength(2);
  });

  test('with the same cluster key', () => {
    const key = randomBytes(32);
    expect(() => acquaint(agent(key), agent(key))).not.toThrow();
  });

  test('an agent with another cluster key, or none, is not believed', () => {
    for (const other of [null, randomBytes(32)]) {
      const a = agent(randomBytes(32));
      const b = agent(other);
      const { pair } = received('hello', b.receive(a.hello(HELLO), B));
      expect(a.receive(pair.welcome(WELCOME, B), A)).toBeNull();
      expect(a.drops['not authenticated']).toBe(1);
    }
  });

  test('a WELCOME that nobody asked for is not even tried', () => {
    const a = new Keyring({ clusterKey: null, isAsking: () => false, isOwnAddress: () => false });
    const { pair } = received('hello', agent().receive(a.hello(HELLO), B));
    expect(a.receive(pair.welcome(WELCOME, B), A)).toBeNull();
    expect(a.drops.unexpected).toBe(1);
  });

  test('a proof does not hold for another connection, nor twice', () => {
    const { b, ab } = acquaint();
    const proved = ab.hello(HELLO, A);
    const elsewhere = { local: B.local, remote: { address: '10.77.0.9', port: 40000 } };
    expect(b.receive(proved, elsewhere)).toBeNull();
    expect(b.drops['not authenticated']).toBe(1);
    expect(received('hello', b.receive(proved, B)).proved).toBe(true);
    expect(b.receive(proved, B)).toBeNull();
    expect(b.drops.replayed).toBe(1);
  });

  test('a WELCOME does not hold for another connection', () => {
    const { a, ba } = acquaint();
    const welcome = ba.welcome({ ...WELCOME, registered: true }, B);
    expect(a.receive(welcome, { ...A, local: { ...A.local, port: 40001 } })).toBeNull();
    expect(a.receive(welcome, A)).not.toBeNull();
  });

  test('a proof for the agent that was here before counts as none, and its WELCOME brings the new key', () => {
    const { a, ab } = acquaint();
    const restarted = agent();
    const hello = received('hello', restarted.receive(ab.hello(HELLO, A), B));
    expect(hello.proved).toBe(false);
    const welcome = received('welcome', a.receive(hello.pair.welcome(WELCOME, B), A));
    expect(received('hello', restarted.receive(welcome.pair.hello(HELLO, A), B)).proved).toBe(true);
  });

  test('our own HELLO thrown back at us is ignored, but both ends may be on one host', () => {
    const a = agent(null, A.local.address);
    expect(a.receive(a.hello(HELLO), A)).toBeNull();
    expect(a.drops.unexpected).toBe(1);

    const here = { local: A.local, remote: { ...A.local, port: 9 } };
    const there = { local: here.remote, remote: here.local };
    const { pair } = received('hello', a.receive(a.hello(HELLO), there));
    expect(received('welcome', a.receive(pair.welcome(WELCOME, there), here)).pair).toBe(pair);
    expect(received('hello', a.receive(pair.hello(HELLO, here), there)).proved).toBe(true);
    expect(received('pair', a.receive(pair.seal(LOCK), there)).message).toEqual(LOCK);
    const source = a.moveAway(pair, MIGRATION);
    const peer = a.follow(pair, MIGRATION);
    expect(received('move', a.receive(source.seal(RESUME), there)).move).toBe(peer);
    const resumed = peer.seal({ type: 'resumed', migration: MIGRATION, part: 0, parts: 1, entries: [] });
    expect(received('move', a.receive(resumed, here)).move).toBe(source);
  });

  test('made-up keys do not push out an agent that has proved its key', () => {
    const { a, b, ab } = acquaint();
    for (let stranger = 0; stranger < 300; stranger += 1) b.receive(agent().hello(HELLO), B);
    expect(b.receive(ab.seal(LOCK), B)).not.toBeNull();
    expect(a.drops).toMatchObject({ malformed: 0, replayed: 0 });
  });
});

describe('sealed messages', () => {
  test('are believed once, and only by whom they were made for', () => {
    const { a, b, ab } = acquaint();
    const carried = ab.seal(LOCK);
    expect(a.receive(carried, A)).toBeNull();
    expect(a.drops['unknown sender']).toBe(1);
    expect(received('pair', b.receive(carried, B)).message).toEqual(LOCK);
    expect(b.receive(carried, B)).toBeNull();
    expect(b.drops.replayed).toBe(1);
    expect(received('pair', b.receive(ab.seal(LOCK), B)).message).toEqual(LOCK);
  });

  test('a changed type, flag or byte is not authenticated', () => {
    const { b, ab } = acquaint();
    const carried = ab.seal(LOCK);
    const changes = [
      altered(carried, ({ option }) => option.writeUInt8(4, 0)),
      altered(carried, ({ option }) => option.writeUInt8((PROTOCOL_VERSION << 4) | 1, 1)),
      altered(carried, ({ body }) => body.writeUInt8(body.readUInt8(40) ^ 1, 40)),
    ];
    for (const changed of changes) expect(b.receive(changed, B)).toBeNull();
    expect(b.drops['not authenticated']).toBe(3);
  });

  test.each([-1, 1])('another version of the protocol is counted apart (%i)', (step) => {
    const { b, ab } = acquaint();
    expect(b.receive(altered(ab.seal(LOCK), ({ option }) => option.writeUInt8((PROTOCOL_VERSION + step) << 4, 1)), B))
      .toBeNull();
    expect(b.drops['other version']).toBe(1);
  });
});

describe('a move', () => {
  function moving() {
    const acquainted = acquaint();
    const source = acquainted.a.moveAway(acquainted.ab, MIGRATION);
    const peer = acquainted.b.follow(acquainted.ba, MIGRATION);
    const host = agent();
    // As it goes through the channel.
    const target = host.moveHere(JSON.parse(JSON.stringify(source.ticket)));
    return { ...acquainted, source, peer, target, host };
  }

  test('may be resumed by the source and by the target, and both read the answer', () => {
    const { a, b, host, source, target, peer } = moving();
    expect(received('move', b.receive(source.seal(RESUME), B))).toMatchObject({ from: 'source', message: RESUME });
    expect(received('move', b.receive(target.seal(RESUME), B))).toMatchObject({ from: 'target', message: RESUME });
    const answer = { type: 'resumed', migration: MIGRATION, part: 0, parts: 1, entries: [] } as const;
    const resumed = peer.seal(answer);
    expect(received('move', a.receive(resumed, A))).toMatchObject({ from: 'peer', message: answer });
    expect(received('move', host.receive(resumed, A))).toMatchObject({ from: 'peer', message: answer });
  });

  test('the target cannot speak as the source, nor the source of another migration', () => {
    const { b, ab, a, target } = moving();
    const said = target.seal(RESUME);
    const asSource = { option: Buffer.from([said.option[0]!, PROTOCOL_VERSION << 4]), body: said.body };
    expect(b.receive(asSource, B)).toBeNull();
    expect(b.drops['not authenticated']).toBe(1);
    const other = a.moveAway(ab, '11'.repeat(16));
    expect(b.receive(other.seal({ ...RESUME, migration: '11'.repeat(16) }), B)).toBeNull();
    expect(b.drops['unknown migration']).toBe(1);
  });

  test('an answer sent back to the peer is not believed', () => {
    const { b, peer } = moving();
    expect(b.receive(peer.seal({ type: 'cancelled', migration: MIGRATION }), B)).toBeNull();
    expect(b.drops['unknown migration']).toBe(1);
  });

  test('does not seal what its role does not say', () => {
    const { peer, source } = moving();
    expect(() => peer.seal(RESUME)).toThrow(RangeError);
    expect(() => source.seal({ type: 'cancelled', migration: MIGRATION })).toThrow(RangeError);
    expect(() => source.seal({ type: 'cancel', migration: '11'.repeat(16) })).toThrow(RangeError);
  });

  test('goes on after a restart, and at another target, whatever the first one had said', () => {
    const { b, target } = moving();
    for (let count = 0; count < 100; count += 1) b.receive(target.seal(RESUME), B);
    const other = agent().moveHere(target.ticket);
    expect(received('move', b.receive(other.seal(RESUME), B))).toMatchObject({ from: 'target', message: RESUME });
    expect(b.receive(target.seal(RESUME), B)).not.toBeNull();
  });

  test('is believed once of each target, and of none in the name of another', () => {
    const { b, target } = moving();
    const other = agent().moveHere(target.ticket);
    const said = [target, other].map((one) => one.seal(RESUME));
    for (const carried of said) expect(b.receive(carried, B)).not.toBeNull();
    for (const carried of said) expect(b.receive(carried, B)).toBeNull();
    expect(b.drops.replayed).toBe(2);
    expect(b.receive({ option: said[0]!.option, body: other.seal(RESUME).body }, B)).toBeNull();
    expect(b.receive({ option: Buffer.concat([said[0]!.option, Buffer.alloc(1)]), body: target.seal(RESUME).body }, B))
      .toBeNull();
    expect(b.drops).toMatchObject({ 'not authenticated': 1, malformed: 1 });
  });

  test('of a target does not fill the table before it has shown that it has the ticket', () => {
    const { b, target } = moving();
    const said = target.seal(RESUME);
    expect(b.receive(said, B)).not.toBeNull();
    for (let stranger = 0; stranger < 300; stranger += 1) {
      const made = altered(said, ({ option }) => option.writeUInt32BE(stranger, 2));
      expect(b.receive(made, B)).toBeNull();
    }
    expect(b.receive(said, B)).toBeNull();
    expect(b.drops).toMatchObject({ 'not authenticated': 300, replayed: 1 });
  });

  test('forgotten is unknown', () => {
    const { b, source, peer } = moving();
    b.forget(peer);
    expect(b.receive(source.seal(RESUME), B)).toBeNull();
    expect(b.drops['unknown migration']).toBe(1);
  });
});
