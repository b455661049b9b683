import type { Command } from 'commander';
import type { Config } from '../../config';
import { MigrunError } from '../../errors';
import type { MigrationReport } from '../../protocol/control/index';
import { connectionText } from '../../vocabulary/endpoint';
import { followProgress } from '../follow-progress';
import { openProgram } from '../local';
import { parsePort } from '../port';
import { count, printJson, printLine, printTable } from '../print';

export function migrateCommand(program: Command, config: Config): void {
  program
    .command('migrate')
    .description('moves a program to another host')
    .argument('<id>', 'its id, or the start of it')
    .requiredOption('--to <host>', 'the host to move to, where an agent runs')
    .option('--port <port>', 'the port of the agent there', parsePort, config.port)
    .option('--json', 'for scripts')
    .action(async (id: string, { to, port, json }: { to: string; port: number; json?: boolean }) => {
      const { summary, channel } = await openProgram(config, id);
      const quiet = json === true;
      const answer = channel.request({ type: 'migrate', to, port });
      const report = await Promise.race([answer, followProgress(channel, quiet)]);
      channel.destroy();
      if (report?.type !== 'migrated')
        throw new MigrunError('E_CHANNEL_CLOSED', 'the supervisor went away without a report', {
          hint: 'see where the program is: migrun ls, here and there',
        });
      if (quiet) printJson(report.report);
      else show(report.report, summary.command);
    });
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
  for (const { connection, status } of lost)
    printLine(`lost: ${connectionText(connection)}: its peer did not follow (${status})`);
}
