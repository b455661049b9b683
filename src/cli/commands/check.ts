import type { Command } from 'commander';
import type { Config } from '../../config';
import { checkHost, type Finding } from '../check-host';
import { printJson, printTable } from '../print';

export function checkCommand(program: Command, config: Config, done: (status: number) => void): void {
  program
    .command('check')
    .description('what this host can do, what is missing, and what to do about it')
    .option('--json', 'for scripts')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = await checkHost(config);
      if (json === true) printJson(findings);
      else printTable(['', 'WHAT', 'IS', 'TO DO'], findings.map(row));
      done(findings.some(({ state }) => state === 'missing') ? 1 : 0);
    });
}

function row({ state, what, is, todo }: Finding): string[] {
  return [{ ok: 'ok', missing: 'MISSING', note: 'note' }[state], what, is, todo ?? ''];
}
