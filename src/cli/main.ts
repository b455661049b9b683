#!/usr/bin/env node
/** The command line: from the arguments to the exit status. The one place that ends the process. */
import { Command, CommanderError } from 'commander';
import { config as configureZod } from 'zod';
import { loadConfig } from '../config';
import { asMigrunError, MigrunError } from '../errors';
import { VERSION } from '../version';
import { checkCommand, keygenCommand } from './commands/host';
import { checkpointCommand, migrateCommand } from './commands/leave';
import { inspectCommand, listCommand, showCommand } from './commands/look';
import { restoreCommand } from './commands/restore';
import { agentCommand, runCommand, superviseCommand } from './commands/run';
import { resumeCommand, suspendCommand } from './commands/suspend';
import { note } from './print';

// A schema that is used a few times is checked faster than it is compiled: 4 ms, not 28, for the state of a program
// that has just arrived, in a process that has just started.
configureZod({ jitless: true });

/** What sysexits and shells call a wrong use. */
const USAGE_STATUS = 2;

const EXAMPLES = `
Examples:
  migrun -- ./count_server 4884        run a program that can move
  migrun agent                         let this host follow, and accept, programs that move
  migrun ls                            the programs of this host
  migrun migrate 1a2b3c4d --to hostB   move one

Every error has a stable code, E_...; with --json it is {"error": {"code", "message", "hint"}} on stderr.`;

const COMMANDS = [runCommand, listCommand, inspectCommand, migrateCommand, suspendCommand, resumeCommand,
  checkpointCommand, restoreCommand, showCommand, checkCommand, agentCommand, keygenCommand, superviseCommand];

function buildProgram(done: (status: number) => void): Command {
  const program = new Command('migrun').description(
    'Moves a running, unmodified Linux program to another host together with its live TCP connections.',
  ).version(VERSION).enablePositionalOptions().addHelpText('after', EXAMPLES).exitOverride().configureOutput({
    outputError: () => undefined,
  }) // printError does it
    .hook('preAction', requireRoot);
  const config = loadConfig();
  for (const add of COMMANDS) add(program, config, done);
  return program;
}

function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new MigrunError('E_ROOT', 'migrun needs root', { hint: 'run it with sudo' });
}

/** commander's words may be on several lines; an error of ours is one line. */
function usageError({ message }: CommanderError, command: Command | undefined): MigrunError {
  const help = command === undefined ? 'migrun --help' : `migrun ${command.name()} --help`;
  return new MigrunError('E_USAGE', message.replace(/^error: /, '').replaceAll('\n', ' '), { hint: `see: ${help}` });
}

function printError({ code, message, hint }: MigrunError, json: boolean): void {
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  else note(`${code}: ${message}${hint === undefined ? '' : `; ${hint}`}`);
}

async function main(args: readonly string[]): Promise<number> {
  // `migrun -- command` is the short form of `migrun run -- command`.
  const full = args[0] === '--' ? ['run', ...args] : [...args];
  let program: Command | undefined;
  let status = 0;
  try {
    program = buildProgram((code) => (status = code));
    await program.parseAsync(full, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // Without a command, commander has printed all that there is to say.
    if (error instanceof CommanderError && error.code === 'commander.help') return USAGE_STATUS;
    const failure = error instanceof CommanderError
      ? usageError(error, program?.commands.find((command) => command.name() === full[0]))
      : asMigrunError(error);
    // What follows `run` is the program's.
    printError(failure, full[0] !== 'run' && full.includes('--json'));
    return failure.code === 'E_USAGE' ? USAGE_STATUS : 1;
  }
}

// It is no error of ours when somebody stops reading, as `head` does. The console sees it in its own writes.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

/** Waits until all is written: what is on its way to a slow reader would be lost with the process. */
function drain(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

void main(process.argv.slice(2)).then(async (status) => {
  await Promise.all([process.stdout, process.stderr].map(drain));
  process.exit(status);
});
