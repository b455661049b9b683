#!/usr/bin/env node
/** The command line. The one place that ends the process. */
import { Command, CommanderError } from 'commander';
import { config as configureZod } from 'zod';
import { loadConfig } from '../config';
import { MigrunError } from '../errors';
import { asMigrunError } from '../protocol/control/index';
import { VERSION } from '../version';
import { agentCommand } from './commands/agent';
import { checkCommand } from './commands/check';
import { inspectCommand } from './commands/inspect';
import { keygenCommand } from './commands/keygen';
import { listCommand } from './commands/list';
import { migrateCommand } from './commands/migrate';
import { runCommand } from './commands/run';
import { superviseCommand } from './commands/supervise';

// A schema that is used a few times is checked faster than it is compiled: 4 ms, not 28, for the state of a program that
// has just arrived, in a process that has just started.
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

function buildProgram(done: (status: number) => void): Command {
  const program = new Command('migrun')
    .description('Moves a running, unmodified Linux program to another host together with its live TCP connections.')
    .version(VERSION)
    .enablePositionalOptions()
    .showHelpAfterError('(migrun --help shows how)')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  const commands = [runCommand, listCommand, inspectCommand, migrateCommand, checkCommand, agentCommand, keygenCommand, superviseCommand];
  for (const make of commands) make(program, loadConfig(), done);
  for (const command of program.commands) command.exitOverride().showHelpAfterError(`(migrun ${command.name()} --help shows how)`);
  return program;
}

function requireRoot(args: readonly string[]): void {
  const harmless = args.length === 0 || args.some((arg) => ['--help', '-h', '--version', '-V', 'help'].includes(arg));
  if (process.geteuid?.() === 0 || harmless) return;
  throw new MigrunError('E_ROOT', 'migrun needs root', { hint: 'run it with sudo' });
}

function printError(error: MigrunError, json: boolean): void {
  const { code, message, hint } = error;
  const text = json ? JSON.stringify({ error: { code, message, hint } }) : `migrun: ${code}: ${message}${hint === undefined ? '' : `; ${hint}`}`;
  process.stderr.write(`${text}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  // `migrun -- command` is the short form of `migrun run -- command`.
  const full = args[0] === '--' ? ['run', ...args] : [...args];
  let status = 0;
  try {
    requireRoot(full);
    await buildProgram((code) => (status = code)).parseAsync(full, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_STATUS;
    printError(asMigrunError(error), full.includes('--json'));
    return 1;
  }
}

void main(process.argv.slice(2)).then((status) => process.exit(status));
