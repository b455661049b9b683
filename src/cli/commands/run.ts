/** The commands that run something to its end: a program with its console, the agent, and what the agent starts. */

import type { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { Agent } from '../../agent/agent';
import { sayReady } from '../../agent/spawn-self';
import { type Config, logFileOf } from '../../config';
import { createLogger } from '../../log';
import { Supervisor } from '../../supervisor/supervisor';
import { parseId } from '../arguments';
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

export function agentCommand(program: Command, config: Config): void {
  program.command('agent').description(
    'the daemon of a host: peers follow through it, and it accepts programs; logs to stderr',
  ).action(async () => {
    const agent = new Agent(config, createLogger('agent', config.logLevel));
    const asked = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
    });
    await agent.start();
    sayReady();
    await asked;
    agent.stop();
  });
}

/** The agent starts this for a program that arrives, and for one whose supervisor died. */
export function superviseCommand(program: Command, config: Config): void {
  program.command('supervise', { hidden: true }).argument('<id>', "the program's id", parseId).option(
    '--adopt',
    'it is here, and its supervisor died',
  ).action(async (id: string, { adopt }: { adopt?: boolean }) => {
    const supervisor = new Supervisor(id, config, createLogger('supervisor', config.logLevel));
    await (adopt === true ? supervisor.succeed() : supervisor.awaitArrival());
    sayReady();
    if (adopt === true) await supervisor.recover();
    await supervisor.done;
  });
}
