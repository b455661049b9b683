import type { Command } from 'commander';
import { resolve } from 'node:path';
import type { Config } from '../../config';
import type { CheckpointReport } from '../../protocol/control/index';
import { DEFAULT_HOLD_MS } from '../../times';
import { parseHold } from '../arguments';
import { awaitReport } from '../follow-progress';
import { openProgram } from '../local';
import { count, duration, printJson, printLine, size } from '../print';

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
        else show(report);
      },
    );
}

function show({ program, file, heldUntil, connections, bytes, frozenMs }: CheckpointReport): void {
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
