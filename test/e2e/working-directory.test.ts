import { mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilGone } from './support/counting.js';
import { useLab } from './support/lab.js';

const lab = useLab();
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'migrun-directory-'));
  await lab.startAgents();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** In the directory. */
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

test('a program moves though a killed dump has left its folder in the directory', async () => {
  mkdirSync(join(directory, 'proc.crtools'));
  utimesSync(join(directory, 'proc.crtools'), 0, 0);
  const program = await start();
  await lab.hostA.migrate(program.id, lab.hostB);
  await program.end();
});

test('programs of one directory move at the same time', async () => {
  const programs = await Promise.all([start(), start(), start()]);
  await Promise.all(programs.map(({ id }) => lab.hostA.migrate(id, lab.hostB)));
  await Promise.all(programs.map((program) => program.end()));
});
