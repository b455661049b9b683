import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../../src/program/journal';
import { Target } from '../support/native/target';

const MIGRATION = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);

let base: string;
let folder: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'migrun-journal-'));
  folder = join(base, 'journal');
});
afterEach(() => rmSync(base, { recursive: true }));

test('the first decision stands, whoever asks later', () => {
  expect(new Journal(folder).decide(MIGRATION, 'committed')).toBe('committed');
  expect(new Journal(folder).decide(MIGRATION, 'aborted')).toBe('committed');
  expect(new Journal(folder).decide(MIGRATION, 'committed')).toBe('committed');
});

test('what was given up cannot be committed any more', () => {
  expect(new Journal(folder).decide(MIGRATION, 'aborted')).toBe('aborted');
  expect(new Journal(folder).decide(MIGRATION, 'committed')).toBe('aborted');
});

test('each migration has its own outcome', () => {
  const journal = new Journal(folder);
  journal.decide(MIGRATION, 'committed');
  expect(journal.decide(OTHER, 'aborted')).toBe('aborted');
});

test('only its owner can read it', () => {
  new Journal(folder).decide(MIGRATION, 'committed');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

const DECIDE_MANY = `
  const [journalModule, folder, outcome] = process.argv.slice(1);
  const journal = new (require(journalModule).Journal)(folder);
  console.log('ready');
  process.stdin.once('data', () => {
    const outcomes = Array.from({ length: 1000 }, (_, number) => journal.decide(String(number).padStart(32, '0'), outcome));
    console.log(outcomes.join());
  });`;

test('two processes that decide at the same time agree on every one', async () => {
  const journalModule = join(__dirname, '..', '..', 'dist', 'program', 'journal.js');
  const deciders = ['committed', 'aborted'].map((outcome) =>
    new Target(process.execPath, ['-e', DECIDE_MANY, journalModule, folder, outcome])
  );
  try {
    for (const decider of deciders) expect(await decider.line()).toBe('ready');
    for (const decider of deciders) decider.say('go');
    const [one, other] = await Promise.all(deciders.map((decider) => decider.line()));
    expect(one).toEqual(other);
  } finally {
    for (const decider of deciders) await decider.end();
  }
});

test('what a source asked about is kept until it is answered', () => {
  const journal = new Journal(folder);
  const record = { program: '1a2b3c4d', target: 'hostB', port: 4807 };
  journal.asking(MIGRATION, record);
  const [name] = readdirSync(folder).filter((each) => each.startsWith(MIGRATION));
  expect(JSON.parse(readFileSync(join(folder, name as string), 'utf8'))).toMatchObject(record);
  journal.answered(MIGRATION);
  expect(readdirSync(folder)).toEqual([]);
  journal.answered(MIGRATION);
});

test('whoever follows a source learns whom it asked, until that is answered', () => {
  const asking = { program: '1a2b3c4d', target: 'hostB', port: 4807 };
  new Journal(folder).asking(MIGRATION, asking);
  expect(new Journal(folder).asked(MIGRATION)).toEqual(asking);
  new Journal(folder).answered(MIGRATION);
  expect(new Journal(folder).asked(MIGRATION)).toBeUndefined();
});

test('the sweep takes what was given up long ago, and nothing that somebody could still ask for', () => {
  const [committed, asked, fresh] = ['c', 'd', 'e'].map((letter) => letter.repeat(32)) as [string, string, string];
  const journal = new Journal(folder);
  journal.decide(MIGRATION, 'aborted');
  journal.decide(committed, 'committed');
  journal.asking(asked, { program: '1a2b3c4d', target: 'hostB', port: 4807 });
  const longAgo = Date.now() / 1000 - 30 * 24 * 3600;
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), longAgo, longAgo);
  journal.decide(fresh, 'aborted');
  journal.sweep();
  const left = readdirSync(folder);
  expect(left).toHaveLength(3);
  for (const kept of [committed, asked, fresh]) expect(left.some((name) => name.startsWith(kept))).toBe(true);
  expect(journal.decide(committed, 'aborted')).toBe('committed');
  expect(journal.decide(fresh, 'committed')).toBe('aborted');
});

test('a file that is torn counts as given up', () => {
  const journal = new Journal(folder);
  writeFileSync(join(folder, `${MIGRATION}.outcome`), 'comm');
  expect(journal.decide(MIGRATION, 'committed')).toBe('aborted');
});
