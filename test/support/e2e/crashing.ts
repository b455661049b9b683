import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repo } from '../repo.js';
import { onChange } from './files.js';
import type { Host } from './host.js';
import { cgroupRoot, cgroupsOf } from './lab.js';
import type { Started } from './started.js';

const AGENT_PORT = '4807';

/** The process of this host's agent. */
export function agentOf(host: Host): number {
  return one(host, /main\.js agent$/);
}

/** The process that supervises a program there: the console that started it, or one that an agent started. */
export function supervisorOf(host: Host, id: string): number {
  const found = host.processes().find(({ command }) =>
    new RegExp(`main\\.js supervise (--adopt )?${id}$`).test(command)
  );
  return found?.pid ?? one(host, /main\.js -- count_server /);
}

function one(host: Host, pattern: RegExp): number {
  const found = host.processes().filter(({ command }) => pattern.test(command));
  if (found.length !== 1) throw new Error(`${found.length} processes of ${host.name} are like ${pattern}`);
  return found[0]!.pid;
}

export function killAll(...pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

/** How many copies of a program there are, on all hosts together, that run or could. */
export function copiesOf(id: string): { running: number; frozen: number } {
  const populated = cgroupsOf(id).filter((cgroup) => read(cgroup, 'cgroup.procs') !== '');
  const frozen = populated.filter((cgroup) => read(cgroup, 'cgroup.freeze') === '1').length;
  return { running: populated.length - frozen, frozen };
}

/** Resolves when nothing of the program is left but the one copy that runs; fails where two ever do. */
export async function untilOneRuns(id: string): Promise<void> {
  await onChange(cgroupRoot(), `one copy of ${id}`, () => cgroupsOf(id).length === 1);
  for (let copies = copiesOf(id); copies.frozen > 0; copies = copiesOf(id)) {
    expect(copies.running).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(copiesOf(id)).toEqual({ running: 1, frozen: 0 });
}

/** Resolves when the host's agent lists the program in this state. */
export async function untilListed(host: Host, id: string, state = 'running'): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    if ((await host.list()).some((program) => program.id === id && program.state === state)) return;
  }
  throw new Error(`${host.name} does not list ${id} as ${state}`);
}

/** The folder of a host's files in flight, as seen through a process of that host. */
export function runDirOf(anchor: Started): string {
  return `/proc/${anchor.pid}/root/run/migrun`;
}

/** A point of a migration at which nothing goes on until the test says how. */
export interface HeldMigration {
  /** `migrun migrate`. */
  readonly command: Started;
  release(): void;
  cut(): void;
}

/** Nothing of the source's next message gets to the target: images, once the program is frozen; then the commit. */
export type HoldPoint = 'before-transfer' | 'before-commit' | 'before-answer';

/** Resolves when the migration has come to this point. */
export async function migrateUntil(
  point: HoldPoint,
  { id, from, to, anchor, port }: { id: string; from: Host; to: Host; anchor: Started; port: number },
): Promise<HeldMigration> {
  const frozen = [join(cgroupsOf(id)[0]!, 'cgroup.freeze'), '1', 'there'];
  const asked = [join(runDirOf(anchor), 'journal', '*.asking'), ''];
  const when =
    { 'before-transfer': frozen, 'before-commit': [...asked, 'there'], 'before-answer': [...asked, 'back'] }[point];
  const proxy = to.start(['node', join(repo, 'test/support/e2e/proxy.js'), String(port), AGENT_PORT, ...when]);
  await proxy.stdout.match(/^ready$/);
  const command = from.start(['migrun', 'migrate', id, '--to', to.name, '--port', String(port)]);
  const early = command.ended.then(() =>
    Promise.reject(new Error(`the migration has ended before ${point}: ${command.stdout.all}${command.stderr.all}`))
  );
  await Promise.race([proxy.stdout.match(/^held$/), early]);
  early.catch(() => undefined); // its end is the caller's from here on
  const say = (word: string) => () => void proxy.stdin.write(`${word}\n`);
  return { command, release: say('release'), cut: say('cut') };
}

function read(cgroup: string, file: string): string {
  try {
    return readFileSync(join(cgroup, file), 'utf8').trim();
  } catch {
    return '';
  }
}
