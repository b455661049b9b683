/** A connection whose port is taken on its new host, towards the same peer. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilGone } from '../../support/e2e/counting.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { Actors } from './script.js';

const KINDS = [
  { name: 'IPv4', family: 4, any: '0.0.0.0', hostC: '10.77.0.3', port: 5004 },
  { name: 'IPv6', family: 6, any: '::', hostC: 'fd77::3', port: 5006 },
] as const;
const OWN = 7000;
const LISTENER = 1000;

const lab = useLab();

const USE = 'm send 3000; p recv 3000; p send 3000; m recv 3000';
const END = 'm shut w; p end -> ok 0; p shut w; m end -> ok 0';

type Kind = (typeof KINDS)[number];
type Boxes = Record<'moving' | 'there' | 'peer', SocketBox>;

beforeAll(() => lab.startAgents());

/** A program on hostA and one on hostB, each connected from the same port to the same one of hostC. */
async function alike({ family, any, hostC, port }: Kind): Promise<Boxes> {
  const boxes = {
    moving: await SocketBox.wrapped(lab.hostA),
    there: SocketBox.plain(lab.hostB),
    peer: SocketBox.plain(lab.hostC),
  };
  const run = async (box: keyof Boxes, ...commands: string[]): Promise<void> => {
    for (const command of commands) expect(await boxes[box].run(command)).toMatch(/^ok/);
  };
  await run('peer', `socket ${LISTENER} ${family}`, `bind ${LISTENER} ${any} ${port}`, `listen ${LISTENER} 5`);
  for (const [slot, box] of ['moving', 'there'].entries()) {
    await run(
      box as keyof Boxes,
      `socket ${slot} ${family}`,
      `bind ${slot} ${any} ${OWN}`,
      `connect ${slot} ${hostC} ${port}`,
    );
    await run('peer', `accept ${slot} ${LISTENER}`);
  }
  return boxes;
}

/** Two go there from hostB, of which one has the port that both had. */
async function expectOneOfTwo({ port }: Kind): Promise<void> {
  const connected = (await lab.hostB.run(['ss', '-Htn', 'state', 'established', 'dport', '=', `:${port}`])).stdout
    .trim().split('\n');
  expect(connected).toHaveLength(2);
  expect(connected.filter((line) => line.includes(`:${OWN} `))).toHaveLength(1);
}

test.each(KINDS)('it gets another, and both go on; and back, $name', async (kind) => {
  const boxes = await alike(kind);
  const moving = new Actors({ m: boxes.moving, p: boxes.peer }, 0);
  const there = new Actors({ m: boxes.there, p: boxes.peer }, 1);
  await lab.hostA.migrate(boxes.moving.id!, lab.hostB);
  await moving.play(USE);
  await there.play(USE);
  await expectOneOfTwo(kind);
  await lab.hostB.migrate(boxes.moving.id!, lab.hostA);
  await moving.play(`${USE}; ${END}`);
  await there.play(`${USE}; ${END}`);
  await Promise.all(Object.values(boxes).map((box) => box.end()));
});

test.each(KINDS)('it gets another where a checkpoint is restored, $name', async (kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'migrun-taken-'));
  const { moving, there, peer } = await alike(kind);
  expect(await moving.run('send 0 2000')).toBe('ok 2000');
  expect(await lab.hostA.run(['migrun', 'checkpoint', moving.id!, '--out', folder])).toMatchObject({ status: 0 });
  const restored = SocketBox.restored(lab.hostB, join(folder, readdirSync(folder)[0]!));
  const actors = new Actors({ m: restored, p: peer }, 0);
  await actors.play(`p recv 2000; ${USE}`);
  await expectOneOfTwo(kind);
  const others = new Actors({ m: there, p: peer }, 1);
  await others.play(`${USE}; ${END}`);
  await actors.play(`${USE}; ${END}`);
  await Promise.all([restored, there, peer].map((box) => box.end()));
  await untilGone(moving.id!);
  rmSync(folder, { recursive: true });
});
