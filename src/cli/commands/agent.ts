import type { Command } from 'commander';
import { Agent } from '../../agent/agent';
import { sayReady } from '../../agent/spawn-self';
import type { Config } from '../../config';
import { createLogger } from '../../log';

export function agentCommand(program: Command, config: Config): void {
  program
    .command('agent')
    .description('the daemon of a host: peers follow through it, and it accepts programs; logs to stderr')
    .action(async () => {
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
