/** The commands that make a host ready: what is missing on it, and the key that all hosts have. */
import type { Command } from 'commander';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../../config';
import { writeClusterKey } from '../../protocol/channel/index';
import { checkHost, type Finding } from '../check-host';
import { printJson, printLine, printTable } from '../print';

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
