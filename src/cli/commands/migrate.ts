import type { Command } from 'commander';
import type { Config } from '../../config';
import type { MigrationReport } from '../../protocol/control/index';
import { parsePort } from '../arguments';
import { awaitReport } from '../follow-progress';
import { openProgram } from '../local';
import { count, lostText, printJson, printLine, printTable } from '../print';

export function migrateCommand(program: Command, config: Config): void {
  program.command('migrate').description('moves a program to another host').argument(
    '<id>',
    'its id, or the start of it',
  ).requiredOption('--to <host>', 'the host to move to, where an agent runs').option(
    '--port <port>',
    'the port of the agent there',
    parsePort,
    config.port,
  ).option('--json', 'for scripts').action(
    async (id: string, { to, port, json }: { to: string; port: number; json?: boolean }) => {
      const { summary, channel } = await openProgram(config, id);
      const quiet = json === true;
      const hint = 'see where the program is: migrun ls, here and there';
      const { report } = await awaitReport(channel, { type: 'migrate', to, port }, 'migrated', quiet, hint);
      if (quiet) printJson(report);
      else show(report, summary.command);
    },
  );
}

function show(
  { program, target, phases, connections, bytes, frozenMs, lost }: MigrationReport,
  command: readonly string[],
): void {
  printTable(['PHASE', 'MS'], phases.map(({ name, ms }) => [name, ms.toFixed(1).padStart(7)]));
  const what = count(connections, 'connection');
  printLine(
    `\n${program} (${command.join(' ')}) runs on ${target} now, with ${what}; ${Math.ceil(bytes / 1024)} KiB moved, ${
      frozenMs.toFixed(1)
    } ms from its freeze to its first answer there`,
  );
  for (const peer of lost) printLine(lostText(peer));
}
