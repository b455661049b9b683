import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onChange } from './files.js';
import { Host, labTool } from './host.js';

const base = process.env['MIGRUN_LAB_DIR'] ?? '/var/lib/migrun/lab';

/** hostA, hostB, hostC, of which none has anything running. */
export class Lab {
  private readonly prefix = `e2e-${randomBytes(4).toString('hex')}`;
  private readonly key = randomBytes(32).toString('hex');
  private hosts: readonly Host[] = [];

  /** All hosts get the same cluster key. */
  up(): void {
    execFileSync(labTool, ['up', '--prefix', this.prefix], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.hosts = ['hostA', 'hostB', 'hostC'].map((name) => {
      const network = statSync(join(base, '.ns', `${this.prefix}.${name}.net`)).ino;
      const host = new Host(name, this.prefix, join(base, this.prefix, name, 'state'), network);
      host.key = this.key;
      return host;
    });
  }

  get hostA(): Host {
    return this.hosts[0]!;
  }

  get hostB(): Host {
    return this.hosts[1]!;
  }

  get hostC(): Host {
    return this.hosts[2]!;
  }

  async startAgents(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.startAgent()));
  }

  /** Ends all programs, and all else that was started, but for the agents: what a failed test leaves must not fail the next. */
  async endPrograms(): Promise<void> {
    const programs = this.hosts.flatMap((host) => host.programs);
    for (const cgroup of programs.flatMap(cgroupsOf)) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
    await Promise.all(this.hosts.map((host) => host.killStarted({ agents: false })));
    for (const id of programs) await onChange(cgroupRoot(), `${id} to go`, () => cgroupsOf(id).length === 0);
  }

  async down(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.killStarted()));
    execFileSync(labTool, ['down', '--prefix', this.prefix], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** What is left of it after its end. It removes the cgroups that it names. */
  leftovers(): string[] {
    const cgroups = this.hosts.flatMap(({ programs }) => programs).flatMap(cgroupsOf);
    const found = [
      ...this.hosts.flatMap((host) => host.processes()).map(({ pid, command }) => `process ${pid}: ${command}`),
      ...cgroups,
      ...(existsSync(join(base, '.ns')) ? readdirSync(join(base, '.ns')) : []).filter((name) =>
        name.startsWith(`${this.prefix}.`)
      ),
      ...[join(base, this.prefix)].filter((folder) => existsSync(folder)),
    ];
    for (const cgroup of cgroups) rmdirSync(cgroup);
    return found;
  }
}

/**
 * A lab for the tests of one file; it goes away after them, whatever became of them, and must leave nothing. What is to
 * be done before that belongs in an afterAll inside a describe: those of one level run in their order.
 */
export function useLab(): Lab {
  const lab = new Lab();
  beforeAll(() => lab.up());
  afterAll(async () => {
    await lab.down();
    expect(lab.leftovers()).toEqual([]);
  });
  return lab;
}

/** The folder in which programs' cgroups are made, on all hosts of one machine. */
export function cgroupRoot(): string {
  const mount = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')).find((fields) =>
    fields[2] === 'cgroup2'
  )?.[1];
  return join(mount!, 'migrun');
}

/** The cgroups of one program on all hosts: <id> where it was started, <id>-<migration> where it arrived. */
export function cgroupsOf(program: string): string[] {
  const root = cgroupRoot();
  return readdirSync(root).filter((name) => name.startsWith(program)).map((name) => join(root, name));
}
