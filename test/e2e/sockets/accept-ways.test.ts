/**
 * However a program waits for connections, it gets those that waited for it when it moved: test/fixtures/doors.c, whose
 * clients connect while it stands still.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTY_CRIU, setFault } from '../../support/e2e/faulty-criu.js';
import type { Host, WrappedProgram } from '../../support/e2e/host.js';
import { cgroupsOf, useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

const PORT = 5200;
const EACH = 3;
const BYTES = 2000;
/** Several accept there: who is first is the kernel's choice. */
const SHARED = ['threads', 'forked', 'group'];

const lab = useLab();
let doors: WrappedProgram;
let client: SocketBox;
let ways: { port: string; way: string }[];
let slot = 0;

async function all(...commands: string[]): Promise<void> {
  for (const command of commands) expect(await client.run(command)).toMatch(/^ok/);
}

/** Clients of every way, none of which can be accepted before the program runs again. */
async function joinWhileFrozen(address: string): Promise<{ way: string; port: string; slot: number }[]> {
  writeFileSync(join(cgroupsOf(doors.id)[0]!, 'cgroup.freeze'), '1');
  const joined = [];
  for (let round = 0; round < EACH; round++) {
    for (const { port, way } of ways) {
      await all(`socket ${slot} 4`, `connect ${slot} ${address} ${port}`, `send ${slot} ${BYTES}`);
      joined.push({ way, slot, port: /local=\S*:(\d+)/.exec(await client.run(`facts ${slot}`))![1]! });
      slot++;
    }
  }
  return joined;
}

async function expectServed(joined: Awaited<ReturnType<typeof joinWhileFrozen>>, before: number): Promise<void> {
  const { stdout } = doors.console;
  const missing = before + joined.length - stdout.lines.length;
  if (missing > 0) await stdout.more(missing);
  const lines = stdout.lines.slice(before);
  for (const { way } of ways) {
    const served = lines.filter((line) => line.startsWith(`${way} `));
    const wanted = joined.filter((one) => one.way === way).map(({ port }) => `${way} ${port}`);
    if (SHARED.includes(way)) expect([...served].sort()).toEqual(wanted.sort());
    else expect(served).toEqual(wanted);
  }
  for (const one of joined)
    await all(`recv ${one.slot} ${BYTES}`, `send ${one.slot} ${BYTES}`, `recv ${one.slot} ${BYTES}`);
}

/** The lines of those that come from here on are behind these. */
const linesSoFar = (): number => doors.console.stdout.lines.length;

describe('connections that wait', () => {
  beforeAll(async () => {
    await lab.hostA.startAgent();
    await lab.hostC.startAgent();
    await lab.hostB.startAgent(FAULTY_CRIU);
    doors = await lab.hostA.startWrapped(['doors', String(PORT)]);
    await doors.console.stdout.match(/^ready \d+ group$/);
    ways = doors.console.stdout.lines.map((line) => / (\d+) (\w+)$/.exec(line)!).map(([, port, way]) => ({
      port: port!,
      way: way!,
    }));
    client = SocketBox.plain(lab.hostC);
  });

  afterAll(async () => {
    await client.end();
    await doors.console.kill('SIGTERM');
  });

  test('there are ways', () => {
    expect(ways.length).toBeGreaterThan(10);
  });

  test('an undone migration wakes all that wait', async () => {
    const before = linesSoFar();
    const joined = await joinWhileFrozen('10.77.0.1');
    const fault = setFault(lab.hostB, 'fails when all is restored');
    expect(await lab.hostA.refusal(doors.id, 'hostB')).toMatchObject({ code: 'E_CRIU' });
    fault.mend();
    await expectServed(joined, before);
  });

  test.each([
    ['there', () => lab.hostA, () => lab.hostB, '10.77.0.1'],
    ['and back', () => lab.hostB, () => lab.hostA, '10.77.0.2'],
  ] as [string, () => Host, () => Host, string][])(
    'a move %s wakes all that wait',
    async (_which, from, to, address) => {
      const before = linesSoFar();
      const joined = await joinWhileFrozen(address);
      await from().migrate(doors.id, to());
      await expectServed(joined, before);
    },
  );
});
