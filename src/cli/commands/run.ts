import type { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { type Config, logFileOf } from '../../config';
import { createLogger } from '../../log';
import { Supervisor } from '../../supervisor/supervisor';
import { ConsoleClient } from '../console';
import { ensureAgent } from '../local';
import { note } from '../print';

export function runCommand(program: Command, config: Config, done: (status: number) => void): void {
  program.command('run').description(
    "runs a program that can move (short: migrun -- command); its exit status is the program's",
  ).argument('<command...>', 'the command and its arguments').option('-q, --quiet', "do not print the program's id")
    .passThroughOptions().action(async (command: string[], { quiet }: { quiet?: boolean }) => {
      done(await run(config, command, quiet === true));
    });
}

async function run(config: Config, command: readonly string[], quiet: boolean): Promise<number> {
  await ensureAgent(config);
  const id = randomBytes(4).toString('hex');
  const supervisor = new Supervisor(id, config, createLogger('supervisor', config.logLevel, logFileOf(config, id)));
  const { stdin, stdout } = process;
  const terminal = stdin.isTTY && stdout.isTTY ? { rows: stdout.rows, columns: stdout.columns } : undefined;
  const { token } = await supervisor.start(command, terminal);
  if (!quiet) note(`program ${id}`);
  const status = await new ConsoleClient(config, id, token, terminal !== undefined).run({
    kind: 'here',
    socket: supervisor.socketPath,
  });
  await supervisor.done;
  return status;
}
