/** The commands by which a program leaves: for another host, or into a file. */

import type { Command } from 'commander';
import { resolve } from 'node:path';
import type { Config } from '../../config';
import type { CheckpointReport, MigrationReport } from '../../protocol/control/index';
import { DEFAULT_HOLD_MS } from '../../times';
import { parseHold, parsePort } from '../arguments';
import { awaitReport, openProgram } from '../local';
import { count, duration, lostText, printJson, printLine, printTable, size } from '../print';

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
      else showMigration(report, summary.command);
    },
  );
}

function showMigration(
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

export function checkpointCommand(program: Command, config: Config): void {
  program.command('checkpoint').description('stops a program and makes it a file; its peers hold until it is restored')
    .argument('<id>', 'its id, or the start of it').requiredOption(
      '--out <file>',
      'the file, which must not be there yet, or a folder for it',
    ).option(
      '--hold <time>',
      'the peers hold so long: 90s, 30m, 2h, 7d; then its connections have failed',
      parseHold,
      DEFAULT_HOLD_MS,
    ).option('--leave-running', 'writes a copy; the program goes on, and its connections stay with it').option(
      '--json',
      'for scripts',
    ).action(
      async (
        id: string,
        { out, hold, leaveRunning, json }: { out: string; hold: number; leaveRunning?: boolean; json?: boolean },
      ) => {
        const { channel } = await openProgram(config, id);
        const quiet = json === true;
        const request = {
          type: 'checkpoint' as const,
          out: resolve(out),
          holdMs: hold,
          leaveRunning: leaveRunning === true,
        };
        const hint = 'see whether the program runs: migrun ls; and whether there is a file: migrun show';
        const { report } = await awaitReport(channel, request, 'checkpointed', quiet, hint);
        if (quiet) printJson(report);
        else showCheckpoint(report);
      },
    );
}

function showCheckpoint({ program, file, heldUntil, connections, bytes, frozenMs }: CheckpointReport): void {
  if (heldUntil === null) {
    printLine(
      `${file} has a copy of ${program}, ${size(bytes)}; the program stood still for ${
        frozenMs.toFixed(0)
      } ms and runs on`,
    );
    return;
  }
  const left = new Date(heldUntil).getTime() - Date.now();
  const held = connections === 0 ? '' : `; its peers hold ${count(connections, 'connection')} for ${duration(left)}`;
  printLine(`${program} is in ${file} now, ${size(bytes)}${held}; it goes on with: migrun restore ${file}`);
}
