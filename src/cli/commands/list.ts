import type { Command } from 'commander';
import type { Config } from '../../config';
import type { ProgramSummary } from '../../protocol/control/index';
import { listPrograms } from '../local';
import { duration, printJson, printTable } from '../print';

export function listCommand(program: Command, config: Config): void {
  program
    .command('ls')
    .description('the programs of this host')
    .option('--json', 'for scripts')
    .action(async ({ json }: { json?: boolean }) => {
      const programs = await listPrograms(config);
      if (json === true) printJson(programs);
      else printTable(['ID', 'STATE', 'PID', 'CONNECTIONS', 'RUNNING FOR', 'COMMAND'], programs.map(row));
    });
}

function row({ id, state, suspendedForMs, pid, connections, startedAt, command }: ProgramSummary): string[] {
  const shown = suspendedForMs === undefined ? state : `${state}, ${duration(suspendedForMs)} left`;
  return [id, shown, String(pid), String(connections), duration(Date.now() - startedAt), command.join(' ')];
}
