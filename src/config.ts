/** Where things are on this host. Environment variables set them; the defaults are for a plain system. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MigrunError } from './errors';

/** Where agents listen for arriving programs. */
export const DEFAULT_PORT = 4807;

const root = join(__dirname, '..');

export interface Config {
  /** Has what a reboot must not take away: the cluster key. */
  readonly stateDir: string;
  /** Has what is gone after a reboot, as the programs are: sockets, the journal, images on their way. */
  readonly runDir: string;
  readonly clusterKeyFile: string;
  readonly agentSocket: string;
  readonly programsDir: string;
  readonly journalDir: string;
  /** Has which connections of this host are held for long, and for whom. */
  readonly holdsDir: string;
  readonly criu: string;
  readonly init: string;
  readonly shim: string;
  readonly port: number;
  readonly logLevel: string;
}

export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const stateDir = env['MIGRUN_STATE_DIR'] ?? '/var/lib/migrun';
  const runDir = env['MIGRUN_RUN_DIR'] ?? '/run/migrun';
  return {
    stateDir,
    runDir,
    clusterKeyFile: env['MIGRUN_KEY_FILE'] ?? join(stateDir, 'cluster.key'),
    agentSocket: join(runDir, 'agent.sock'),
    programsDir: join(runDir, 'programs'),
    journalDir: join(runDir, 'journal'),
    holdsDir: join(runDir, 'holds'),
    criu: env['MIGRUN_CRIU'] ?? join(env['MIGRUN_CRIU_DIR'] ?? '/var/lib/migrun/criu', 'criu'),
    init: builtFile('migrun-init'),
    shim: builtFile('libmigrun.so'),
    port: parsePort(env['MIGRUN_PORT']),
    logLevel: env['MIGRUN_LOG_LEVEL'] ?? 'info',
  };
}

/** The file that node-gyp built here, else the one that came with the package (tools/prebuild). */
function builtFile(name: string): string {
  const built = join(root, 'build', 'Release', name);
  return existsSync(built) ? built : join(root, 'prebuilds', `${process.platform}-${process.arch}`, name);
}

function parsePort(text: string | undefined): number {
  const port = text === undefined ? DEFAULT_PORT : toPort(text);
  if (port === undefined)
    throw new MigrunError('E_USAGE', `MIGRUN_PORT is ${JSON.stringify(text)}, not a port`, {
      hint: 'set it to 1..65535, or not at all',
    });
  return port;
}

/** A port's number out of text; undefined: the text is none. */
export function toPort(text: string): number | undefined {
  const port = Number(text);
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? port : undefined;
}

/** The UNIX socket of the supervisor of a program. */
export function socketOf({ programsDir }: Config, program: string): string {
  return join(programsDir, `${program}.sock`);
}

/** The log of a part of migrun, or of a program's supervisor. */
export function logFileOf({ runDir }: Config, name: string): string {
  return join(runDir, 'log', `${name}.log`);
}

/** CRIU's own log of a migration that failed. */
export function criuLogOf(config: Config, migration: string): string {
  return logFileOf(config, `criu-${migration.slice(0, 8)}`);
}

/** Where cgroup v2 is mounted, alone or beside v1 ("hybrid"); undefined: nowhere. */
export function cgroupMount(mounts = readFileSync('/proc/self/mounts', 'utf8')): string | undefined {
  return mounts.split('\n').map((line) => line.split(' ')).find((fields) =>
    fields[2] === 'cgroup2' && existsSync(fields[1] ?? '')
  )?.[1];
}

/** Where programs' cgroups live. */
export function cgroupRoot(): string {
  return join(requireCgroupMount(), 'migrun');
}

/** The cgroup v2 that this process is in. */
export function ownCgroup(): string {
  const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  return join(requireCgroupMount(), path);
}

function requireCgroupMount(): string {
  const mount = cgroupMount();
  if (mount !== undefined) return mount;
  throw new MigrunError('E_CGROUP', 'no cgroup v2 is mounted here', {
    hint: 'mount one: mount -t cgroup2 none /sys/fs/cgroup/unified',
  });
}
