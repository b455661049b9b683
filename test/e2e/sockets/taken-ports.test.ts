/** A connection whose port is taken on its new host, towards the same peer. */
import { useLab } from '../support/lab.js';
import { SocketBox } from '../support/socket-box.js';
import { Actors } from './script.js';

const KINDS = [
  { name: 'IPv4', family: 4, any: '0.0.0.0', hostC: '10.77.0.3', port: 5004 },
  { name: 'IPv6', family: 6, any: '::', hostC: 'fd77::3', port: 5006 },
] as const;
const OWN = 7000;
const LISTENER = 1000;

const lab = useLab();

test.each(KINDS)('it gets another, and both go on; and back, $name', async ({ family, any, hostC, port }) => {
  if (family === 4) await lab.startAgents();
  const boxes = { moving: await SocketBox.wrapped(lab.hostA), there: SocketBox.plain(lab.hostB), peer: SocketBox.plain(lab.hostC) };
  const run = async (box: keyof typeof boxes, ...commands: string[]): Promise<void> => {
    for (const command of commands) expect(await boxes[box].run(command)).toMatch(/^ok/);
  };
  await run('peer', `socket ${LISTENER} ${family}`, `bind ${LISTENER} ${any} ${port}`, `listen ${LISTENER} 5`);
  for (const [slot, box] of ['moving', 'there'].entries()) {
    await run(box as keyof typeof boxes, `socket ${slot} ${family}`, `bind ${slot} ${any} ${OWN}`, `connect ${slot} ${hostC} ${port}`);
    await run('peer', `accept ${slot} ${LISTENER}`);
  }
  const moving = new Actors({ m: boxes.moving, p: boxes.peer }, 0);
  const there = new Actors({ m: boxes.there, p: boxes.peer }, 1);
  const use = 'm send 3000; p recv 3000; p send 3000; m recv 3000';
  await lab.hostA.migrate(boxes.moving.id!, lab.hostB);
  await moving.play(use);
  await there.play(use);
  const connected = (await lab.hostB.run(['ss', '-Htn', 'state', 'established', 'dport', '=', `:${port}`])).stdout.trim().split('\n');
  expect(connected).toHaveLength(2);
  expect(connected.filter((line) => line.includes(`:${OWN} `))).toHaveLength(1);
  await lab.hostB.migrate(boxes.moving.id!, lab.hostA);
  await moving.play(`${use}; m shut w; p end -> ok 0; p shut w; m end -> ok 0`);
  await there.play(`${use}; m shut w; p end -> ok 0; p shut w; m end -> ok 0`);
  await Promise.all(Object.values(boxes).map((box) => box.end()));
});
