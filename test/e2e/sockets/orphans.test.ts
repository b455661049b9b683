/** What a program has sent and closed reaches the other end, or keeps the program from moving: the old host has nothing left. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { Actors, type End } from './script.js';

const SLOT = 1;
const LISTENER = 2;
const PORT = 5004;
const ALL = 64 << 20;

const lab = useLab();

describe('a connection that the program has closed', () => {
  let boxes: Record<End, SocketBox>;
  let actors: Actors;

  beforeAll(async () => {
    await lab.startAgents();
    boxes = { m: await SocketBox.wrapped(lab.hostA), p: SocketBox.plain(lab.hostC) };
    for (const command of [`socket ${LISTENER} 4`, `bind ${LISTENER} 0.0.0.0 ${PORT}`, `listen ${LISTENER} 5`])
      expect(await boxes.m.run(command)).toMatch(/^ok/);
  });

  beforeEach(() => {
    actors = new Actors(boxes, SLOT);
  });

  afterAll(() => Promise.all([boxes.m.end(), boxes.p.end()]));

  async function connect(address: string): Promise<void> {
    for (const command of [`socket ${SLOT} 4`, `connect ${SLOT} ${address} ${PORT}`])
      expect(await boxes.p.run(command)).toMatch(/^ok/);
    expect(await boxes.m.run(`accept ${SLOT} ${LISTENER}`)).toMatch(/^ok/);
  }

  test('keeps it from moving as long as the other end does not read it', async () => {
    await connect('10.77.0.1');
    const answer = await boxes.m.run(`fill ${SLOT} ${ALL}`);
    await actors.play('m close');
    expect(await lab.hostA.refusal(boxes.m.id!, 'hostB')).toMatchObject({
      code: 'E_ORPHAN',
      text: expect.stringContaining('10.77.0.1:5004'),
      undone: ['preflight'],
    });
    await actors.play(`p end -> ${answer}; p close`);
  });

  test('is waited for', async () => {
    await connect('10.77.0.1');
    await actors.play('p deaf; m send 3000; m close');
    const moved = lab.hostA.migrate(boxes.m.id!, lab.hostB);
    await actors.play('p hear; p end -> ok 3000');
    await moved;
    await actors.play('p close');
  });

  test('does not matter when all of it has arrived', async () => {
    await connect('10.77.0.2');
    await actors.play('m send 3000; m close; p state CLOSE_WAIT');
    await lab.hostB.migrate(boxes.m.id!, lab.hostA);
    await actors.play('p end -> ok 3000; p close');
  });
});
