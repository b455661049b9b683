/**
 * The commands that make a host ready: what is missing on it and what to do about that, and the key that all hosts
 * have.
 */

import type { Command } from 'commander';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { cgroupMount, type Config } from '../../config';
import { CriuWorker } from '../../criu/worker';
import type { MigrunError } from '../../errors';
import { native } from '../../native/index';
import { readClusterKey, writeClusterKey } from '../../protocol/channel/index';
import { type AgentFacts, expectType, type PeeringFacts } from '../../protocol/control/index';
import { askAgent } from '../local';
import { count, duration, printJson, printLine, printTable } from '../print';

interface Finding {
  readonly state: 'ok' | 'missing' | 'note';
  readonly what: string;
  readonly is: string;
  readonly todo?: string;
  /** For scripts. */
  readonly facts?: AgentFacts;
}

const TMPFS_MAGIC = 0x01021994;

async function checkHost(config: Config): Promise<Finding[]> {
  return [
    { state: 'ok', what: 'kernel', is: release() },
    checkCgroup(),
    await tried(
      'TCP repair, eBPF',
      tryRepair,
      'needs root and a kernel with CONFIG_BPF_SYSCALL and CONFIG_CHECKPOINT_RESTORE',
    ),
    await tried('raw sockets', tryInband, 'needs CAP_NET_RAW'),
    checkBuilt(config),
    await tried('CRIU', () => criuVersion(config), 'tools/setup'),
    checkRun(),
    checkKey(config),
    ...(await checkAgent(config)),
  ];
}

function checkCgroup(): Finding {
  const mount = cgroupMount();
  if (mount === undefined)
    return {
      state: 'missing',
      what: 'cgroup v2',
      is: 'not mounted',
      todo: 'mount -t cgroup2 none /sys/fs/cgroup/unified',
    };
  return { state: 'ok', what: 'cgroup v2', is: mount };
}

/** Uses TCP_REPAIR and eBPF: a kernel's version does not tell. */
function tryRepair(): string {
  native.tcpSequences({ local: { address: '127.0.0.1', port: 1 }, remote: { address: '127.0.0.1', port: 1 } });
  return 'work';
}

function tryInband(): string {
  for (const family of [4, 6] as const) native.openInband(family, () => undefined).close();
  return 'work';
}

function checkBuilt({ init, shim }: Config): Finding {
  const absent = [init, shim].filter((path) => !existsSync(path));
  if (absent.length > 0)
    return { state: 'missing', what: 'shim and init', is: `no ${absent.join(', ')}`, todo: 'tools/setup' };
  return { state: 'ok', what: 'shim and init', is: 'built' };
}

async function criuVersion(config: Config): Promise<string> {
  mkdirSync(config.runDir, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(config.runDir, 'check-'));
  try {
    const worker = new CriuWorker(config.criu, folder, join(config.runDir, 'criu-check.log'));
    const version = await worker.version();
    void worker.close();
    return `${version}, ${config.criu}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What works gives what there is to say of it; what throws is missing. */
async function tried(what: string, work: () => Promise<string> | string, todo: string): Promise<Finding> {
  try {
    return { state: 'ok', what, is: await work() };
  } catch (error) {
    const { message, hint } = error as MigrunError;
    return { state: 'missing', what, is: message, todo: hint ?? todo };
  }
}

function checkRun(): Finding {
  if (statfsSync('/run').type === TMPFS_MAGIC) return { state: 'ok', what: '/run', is: 'a tmpfs' };
  return {
    state: 'note',
    what: '/run',
    is: 'not a tmpfs: CRIU probes the kernel anew at each start, 40 ms more in a move',
    todo: 'mount a tmpfs on /run',
  };
}

function checkKey({ clusterKeyFile }: Config): Finding {
  try {
    readClusterKey(clusterKeyFile);
    return { state: 'ok', what: 'cluster key', is: clusterKeyFile };
  } catch (error) {
    const { message, hint } = error as MigrunError;
    return {
      state: 'note',
      what: 'cluster key',
      is: `${message}: peers follow, but no program comes or goes`,
      todo: hint ?? '',
    };
  }
}

async function checkAgent(config: Config): Promise<Finding[]> {
  try {
    return agentFindings(expectType(await askAgent(config, { type: 'status' }), 'status-is').facts);
  } catch (error) {
    return [{
      state: 'note',
      what: 'agent',
      is: (error as Error).message,
      todo: 'migrun agent (migrun -- starts one by itself)',
    }];
  }
}

/** What may be done about messages that were not believed; of other reasons a lossy network has some. */
const ON_DROPS: Partial<Record<keyof PeeringFacts['drops'], string>> = {
  'other version': 'bring migrun on all hosts up to date',
  'not authenticated': 'all hosts need the same cluster key',
};

export function agentFindings(facts: AgentFacts): Finding[] {
  const { version, port, peering: { registered, locks, drops } } = facts;
  const door = port === null ? 'takes no programs (no cluster key)' : `takes programs on port ${port}`;
  const locked = locks.reduce((sum, lock) => sum + lock.locked, 0);
  const longest = Math.max(...locks.map((lock) => (lock.locked === 0 ? 0 : lock.leftMs)));
  const left = locked === 0 ? '' : `, for ${duration(longest)} yet`;
  const dropped = (Object.keys(drops) as (keyof typeof drops)[]).filter((reason) => drops[reason] > 0);
  const todo = dropped.flatMap((reason) => ON_DROPS[reason] ?? []).join('; ');
  const ignored: Finding = {
    state: todo === '' ? 'ok' : 'note',
    what: 'ignored messages',
    is: dropped.map((reason) => `${drops[reason]} ${reason}`).join(', '),
    ...(todo === '' ? {} : { todo }),
  };
  return [
    { state: 'ok', what: 'agent', is: `${version}, ${door}`, facts },
    {
      state: 'ok',
      what: 'peers',
      is: `${count(registered, 'connection')} to programs that can move, ${locked} locked${left}`,
    },
    ...(dropped.length === 0 ? [] : [ignored]),
  ];
}

export function checkCommand(program: Command, config: Config, done: (status: number) => void): void {
  program.command('check').description('what this host can do, what is missing, and what to do about it').option(
    '--json',
    'for scripts',
  ).action(async ({ json }: { json?: boolean }) => {
    const findings = await checkHost(config);
    if (json === true) printJson(findings);
    else printTable(['', 'WHAT', 'IS', 'TO DO'], findings.map(row));
    done(findings.some(({ state }) => state === 'missing') ? 1 : 0);
  });
}

function row({ state, what, is, todo }: Finding): string[] {
  return [{ ok: 'ok', missing: 'MISSING', note: 'note' }[state], what, is, todo ?? ''];
}

export function keygenCommand(program: Command, config: Config): void {
  program.command('keygen').description(
    'makes the cluster key; copy its file to every host that may send or take programs',
  ).action(() => {
    mkdirSync(dirname(config.clusterKeyFile), { recursive: true, mode: 0o700 });
    writeClusterKey(config.clusterKeyFile);
    printLine(config.clusterKeyFile);
  });
}
