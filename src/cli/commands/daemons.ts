/** The commands that serve others until they are told to end, or have nothing left to do. */
import type { Command } from 'commander';
import { Agent } from '../../agent/agent';
import { sayReady } from '../../agent/spawn-self';
import type { Config } from '../../config';
import { createLogger } from '../../log';
import { Supervisor } from '../../supervisor/supervisor';
import { parseId } from '../arguments';

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
