/**
 * The matrix of connections: every case over IPv4, IPv6 and mapped addresses, accepted and made by the program that
 * moves, all at once in one program, there and back. A case fails alone; a migration that is refused fails them all.
 */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { CONNECTION_CASES, type ConnectionCase } from './connection-cases.js';
import { Actors, type End, ENDS } from './script.js';

interface Kind {
  readonly name: string;
  /** The families of the moving end's socket and of its peer's. */
  readonly families: Readonly<Record<End, 4 | 6>>;
  readonly any: string;
  readonly hostA: string;
  readonly hostC: string;
  readonly port: number;
}

const V4 = { any: '0.0.0.0', hostA: '10.77.0.1', hostC: '10.77.0.3' };
const KINDS: readonly Kind[] = [
  { name: 'IPv4', families: { m: 4, p: 4 }, ...V4, port: 5004 },
  { name: 'IPv6', families: { m: 6, p: 6 }, any: '::', hostA: 'fd77::1', hostC: 'fd77::3', port: 5006 },
  { name: 'mapped', families: { m: 6, p: 4 }, ...V4, port: 5046 },
];

/** Listening sockets are numbered behind all others. */
const LISTENERS = 1900;

const lab = useLab();
const failures = new Map<string, string>();
let refusal: unknown;
let boxes: Record<End, SocketBox>;

const instances = KINDS.flatMap((kind) =>
  ['accepted', 'made'].flatMap((role) =>
    CONNECTION_CASES.map((one) => ({ title: `${one.name}, ${role}, ${kind.name}`, kind, role, one }))
  )
);

function actorsOf(index: number): Actors {
  return new Actors(boxes, index);
}

async function listen(end: End, kind: Kind, index: number): Promise<void> {
  const slot = LISTENERS + index;
  const family = kind.families[end];
  for (
    const command of [`socket ${slot} ${family}`, `bind ${slot} ${family === 6 ? '::' : '0.0.0.0'} ${kind.port}`,
      `listen ${slot} 100`]
  ) {
    expect(await boxes[end].run(command)).toMatch(/^ok/);
  }
}

async function connect({ kind, role }: (typeof instances)[number], slot: number): Promise<void> {
  const [from, to, address] = role === 'made' ? (['m', 'p', kind.hostC] as const) : (['p', 'm', kind.hostA] as const);
  const listener = LISTENERS + KINDS.indexOf(kind);
  expect(await boxes[from].run(`socket ${slot} ${kind.families[from]}`)).toMatch(/^ok/);
  expect(await boxes[from].run(`connect ${slot} ${address} ${kind.port}`)).toMatch(/^ok/);
  expect(await boxes[to].run(`accept ${slot} ${listener}`)).toMatch(/^ok/);
}

/** Takes a step with every instance that has not failed yet; what it throws fails the test of that instance alone. */
async function forEach(step: (instance: (typeof instances)[number], index: number) => Promise<void>): Promise<void> {
  await Promise.all(instances.map(async (instance, index) => {
    if (failures.has(instance.title)) return;
    await step(instance, index).catch((error: unknown) => failures.set(instance.title, String(error)));
  }));
}

async function expectStates(when: string, statesOf: (one: ConnectionCase) => readonly string[]): Promise<void> {
  await forEach(async ({ one }, index) => {
    for (const [place, end] of ENDS.entries()) {
      const expected = statesOf(one)[place]!;
      const state = await actorsOf(index).stateAmong(end, expected.split('|'));
      if (!expected.split('|').includes(state)) throw new Error(`${when} ${end} is ${state}, not ${expected}`);
    }
  });
}

const moved = ({ states, moved: differing }: ConnectionCase): readonly string[] => differing ?? states;

describe('a connection moves, and back', () => {
  beforeAll(async () => {
    await lab.startAgents();
    boxes = { m: await SocketBox.wrapped(lab.hostA), p: SocketBox.plain(lab.hostC) };
    for (const [index, kind] of KINDS.entries()) for (const end of ENDS) await listen(end, kind, index);
    for (const [index, instance] of instances.entries()) await connect(instance, index);
    const actors = instances.map((_, index) => actorsOf(index));
    await forEach(({ one }, index) => actors[index]!.play(one.before));
    await expectStates('before the move', ({ states }) => states);
    try {
      await lab.hostA.migrate(boxes.m.id!, lab.hostB);
      await expectStates('after the move', moved);
      await lab.hostB.migrate(boxes.m.id!, lab.hostA);
    } catch (error) {
      refusal = error;
      return;
    }
    await expectStates('after the move back', moved);
    await forEach(({ one }, index) => actors[index]!.play(one.after));
  }, 120_000);

  afterAll(() => Promise.all(ENDS.map((end) => boxes[end].end())));

  test('all of them at once', () => {
    expect(refusal).toBeUndefined();
  });

  test.each(instances.map(({ title }) => title))('%s', (title) => {
    expect(failures.get(title) ?? (refusal === undefined ? undefined : 'not moved')).toBeUndefined();
  });
});
