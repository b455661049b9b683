import { mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilGone } from '../support/e2e/counting.js';
import { useLab } from '../support/e2e/lab.js';

const lab = useLab();
let directory: string;

beforeAll(() => lab.startAgents());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'migrun-directory-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Starts the program in the directory. */
async function start(): Promise<{ id: string; end(): Promise<void> }> {
  const console = lab.hostA.start(['env', '-C', directory, 'migrun', '--', 'ticker']);
  const [, id = ''] = await console.stderr.match(/^migrun: program ([0-9a-f]{8})$/);
  return {
    id,
    end: async () => {
      console.child.kill('SIGTERM');
      await console.ended;
      await untilGone(id);
    },
  };
}

test('a program moves though nothing can be written where it was started', async () => {
  for (const host of [lab.hostA, lab.hostB]) {
    await host.run(['mount', '--bind', directory, directory]);
    await host.run(['mount', '-o', 'remount,bind,ro', directory]);
  }
  const program = await start();
  await lab.hostA.migrate(program.id, lab.hostB);
  await program.end();
  for (const host of [lab.hostA, lab.hostB]) await host.run(['umount', directory]);
});

test('whoever watches the directory sees nothing of a move', async () => {
  const seen: string[] = [];
  const watcher = watch(directory, (event, name) => seen.push(`${event} ${name}`));
  const program = await start();
  await lab.hostA.migrate(program.id, lab.hostB);
  await lab.hostB.migrate(program.id, lab.hostA);
  await program.end();
  watcher.close();
  expect(seen).toEqual([]);
});

test('programs of one directory move at the same time', async () => {
  const programs = await Promise.all([start(), start(), start()]);
  await Promise.all(programs.map(({ id }) => lab.hostA.migrate(id, lab.hostB)));
  await Promise.all(programs.map((program) => program.end()));
});

test('a program moves though a killed dump has left its folder', async () => {
  const program = await start();
  await lab.hostA.run(['mkdir', `/run/migrun/init/${program.id}/proc.crtools`]);
  await lab.hostA.migrate(program.id, lab.hostB);
  await program.end();
});

test('no directory stays', async () => {
  for (const host of [lab.hostA, lab.hostB]) expect((await host.run(['ls', '/run/migrun/init'])).stdout).toBe('');
});
