import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Host, labTool } from './host.js';

const base = process.env['MIGRUN_LAB_DIR'] ?? '/var/lib/migrun/lab';

/** hostA, hostB, hostC with the same cluster key; nothing runs on them yet. */
export class Lab {
  private constructor(
    private readonly prefix: string,
    private readonly hosts: readonly Host[],
  ) {}

  static up(): Lab {
    const prefix = `e2e-${randomBytes(4).toString('hex')}`;
    execFileSync(labTool, ['up', '--prefix', prefix], { stdio: ['ignore', 'ignore', 'inherit'] });
    const key = randomBytes(32).toString('hex');
    const hosts = ['hostA', 'hostB', 'hostC'].map((name, index) => {
      const network = statSync(join(base, '.ns', `${prefix}.${name}.net`)).ino;
      const host = new Host(name, `10.77.0.${index + 1}`, prefix, join(base, prefix, name, 'state'), network);
      host.setKey(key);
      return host;
    });
    return new Lab(prefix, hosts);
  }

  get all(): [Host, Host, Host] {
    return this.hosts as [Host, Host, Host];
  }

  async down(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.killStarted()));
    execFileSync(labTool, ['down', '--prefix', this.prefix], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** What is there of it after its end. */
  leftovers(): string[] {
    const programs = this.hosts.flatMap((host) => host.programs);
    return [
      ...this.hosts.flatMap((host) => host.processes()).map(({ pid, command }) => `process ${pid}: ${command}`),
      ...programs.flatMap(cgroupsOf),
      ...(existsSync(join(base, '.ns')) ? readdirSync(join(base, '.ns')) : []).filter((name) => name.startsWith(`${this.prefix}.`)),
      ...[join(base, this.prefix)].filter((folder) => existsSync(folder)),
    ];
  }
}

/** Where programs' cgroups are made, on all hosts of one machine. */
export function cgroupRoot(): string {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[2] === 'cgroup2')?.[1];
  return join(mount!, 'migrun');
}

/** Of one program, wherever it runs: <id>, or <id>-<migration> where it arrived. */
export function cgroupsOf(program: string): string[] {
  const root = cgroupRoot();
  return readdirSync(root)
    .filter((name) => basename(name).startsWith(program))
    .map((name) => join(root, name));
}
