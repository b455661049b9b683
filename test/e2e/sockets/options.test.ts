/** Every option that a program can set on a TCP socket and read back is the same after a move, and after the one back. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { OPTION_CASES, type OptionCase, SOCKET_KINDS, type SocketKind } from './option-cases.js';

/**
 * Options that only tell what a connection is doing: the segment size in use, quick acknowledgements, the path's MTU, the CPU
 * that handled the last segment, what that and the SYN had (IP_PKTOPTIONS and, on a stream, IP_MULTICAST_TTL,
 * IPV6_MULTICAST_IF and _HOPS), and IPV6_V6ONLY, which bind(2) to an address sets (__inet6_bind() in net/ipv6/af_inet6.c).
 */
const STATES = new Set(['1/49', '6/2', '6/12', '0/14', '41/24', '0/9', '0/33', '41/6', '41/17', '41/18', '41/26']);
/** Sizes of buffers that the kernel tunes; those that a program set are cases. */
const TUNED = new Set(['1/7', '1/8', '6/10']);

const ADDRESSES: Record<string, { family: 4 | 6; hostA: string; any: string; port: number }> = {
  connection: { family: 4, hostA: '10.77.0.1', any: '0.0.0.0', port: 5004 },
  'IPv6 connection': { family: 6, hostA: 'fd77::1', any: '::', port: 5006 },
  'mapped connection': { family: 6, hostA: '10.77.0.1', any: '::', port: 5046 },
};

const lab = useLab();
type Readings = Map<string, string>;
let moved: SocketBox;
let peer: SocketBox;
const before = new Map<string, Readings>();
const after = new Map<string, Readings>();

/** Each kind twice: with every option set, and with none. */
const sockets = SOCKET_KINDS.flatMap((kind) =>
  [true, false].map((isSet) => ({ kind, isSet, name: `${kind} ${isSet}` }))
);

async function ok(box: SocketBox, command: string): Promise<string> {
  const answer = await box.run(command);
  if (!answer.startsWith('ok')) throw new Error(`${command}: ${answer}`);
  return answer.slice('ok '.length);
}

async function make(kind: SocketKind, slot: number): Promise<void> {
  const address = ADDRESSES[kind];
  if (address !== undefined) {
    const { family, hostA, any, port } = address;
    const listener = 1000 + slot;
    await ok(moved, `socket ${listener} ${family}`);
    await ok(moved, `bind ${listener} ${any} ${port + slot}`);
    await ok(moved, `listen ${listener} 5`);
    await ok(peer, `socket ${slot} ${kind === 'IPv6 connection' ? 6 : 4}`);
    await ok(peer, `connect ${slot} ${hostA} ${port + slot}`);
    await ok(moved, `accept ${slot} ${listener}`);
    return;
  }
  const isIPv6 = kind === 'IPv6 listening';
  await ok(moved, `socket ${slot} ${isIPv6 ? 6 : 4}`);
  if (kind !== 'unbound') await ok(moved, `bind ${slot} ${isIPv6 ? '::' : '0.0.0.0'} ${6000 + slot}`);
  if (kind.endsWith('listening')) await ok(moved, `listen ${slot} 5`);
}

function isFor(kind: SocketKind): (one: OptionCase) => boolean {
  return ({ not }) => !(not ?? []).includes(kind);
}

async function readings(slot: number): Promise<Readings> {
  const text = await ok(moved, `options ${slot}`);
  return new Map(text.trim().split(' ').map((one) => one.split('=') as [string, string]));
}

describe('options', () => {
  beforeAll(async () => {
    await lab.startAgents();
    moved = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
    for (const [slot, { kind, isSet }] of sockets.entries()) {
      await make(kind, slot);
      for (const { level, option, hex } of isSet ? OPTION_CASES.filter(isFor(kind)) : [])
        await ok(moved, `set ${slot} ${level} ${option} ${hex}`);
    }
    for (const [slot, { name }] of sockets.entries()) before.set(name, await readings(slot));
    await lab.hostA.migrate(moved.id!, lab.hostB);
    await lab.hostB.migrate(moved.id!, lab.hostA);
    for (const [slot, { name }] of sockets.entries()) after.set(name, await readings(slot));
  });

  afterAll(() => Promise.all([moved.end(), peer.end()]));

  test.each(
    SOCKET_KINDS.flatMap((kind) => OPTION_CASES.filter(isFor(kind)).map((one) => [one.name, kind, one] as const)),
  )('%s of a socket that is %s', (_name, kind, { level, option }) => {
    const name = `${level}/${option}`;
    expect(after.get(`${kind} true`)?.get(name)).toBe(before.get(`${kind} true`)?.get(name));
    expect(before.get(`${kind} true`)?.get(name)).not.toBe(before.get(`${kind} false`)?.get(name));
  });

  test.each(sockets.map(({ name }) => name))('whatever else there is of %s', (name) => {
    const differences = [...before.get(name)!].filter(([option, value]) => after.get(name)?.get(option) !== value).map(
      ([option]) => option
    );
    expect(differences.filter((option) => !STATES.has(option) && !(name.endsWith('false') && TUNED.has(option))))
      .toEqual([]);
  });
});
