import type { Command } from 'commander';
import type { Config } from '../../config';
import { expectType, type SuspendReport } from '../../protocol/control/index';
import { DEFAULT_HOLD_MS, SUSPEND_TIMEOUT_MS } from '../../times';
import { connectionText } from '../../vocabulary/endpoint';
import { parseHold } from '../arguments';
import { askAgent, findProgram } from '../local';
import { count, duration, printJson, printLine } from '../print';

export function suspendCommand(program: Command, config: Config): void {
  program.command('suspend').description(
    "holds a program's connections at both ends, where they are; the programs run on",
  ).argument('<id>', 'its id, or the start of it').option(
    '--hold <time>',
    'at most so long: 90s, 30m, 2h, 7d; then they go on by themselves',
    parseHold,
    DEFAULT_HOLD_MS,
  ).option('--json', 'for scripts').action(async (id: string, { hold, json }: { hold: number; json?: boolean }) => {
    const { id: program } = await findProgram(config, id);
    const { report } = expectType(
      await askAgent(config, { type: 'suspend-program', program, holdMs: hold }, SUSPEND_TIMEOUT_MS),
      'suspend-report',
    );
    if (json === true) printJson(report);
    else printLine(
        `${report.program}: ${count(report.connections.length, 'connection')} held for ${
          duration(report.leftMs)
        }; go on with: migrun resume ${report.program}`,
      );
  });
}

export function resumeCommand(program: Command, config: Config): void {
  program.command('resume').description('ends what `migrun suspend` began: both ends of each connection go on at once')
    .argument('<id>', 'its id, or the start of it').option('--json', 'for scripts').action(
      async (id: string, { json }: { json?: boolean }) => {
        const { id: program } = await findProgram(config, id);
        const { report } = expectType(
          await askAgent(config, { type: 'resume-program', program }, SUSPEND_TIMEOUT_MS),
          'suspend-report',
        );
        if (json === true) printJson(report);
        else showResumed(report);
      },
    );
}

function showResumed({ program, connections }: SuspendReport): void {
  const silent = connections.filter(({ status }) => status !== 'ok');
  printLine(`${program}: ${count(connections.length - silent.length, 'connection')} resumed`);
  for (const { connection, status } of silent)
    printLine(
      `not answered: ${connectionText(connection)} (${status}); its other end goes on by itself when the hold ends`,
    );
}
