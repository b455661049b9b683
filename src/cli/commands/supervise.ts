import { InvalidArgumentError, type Command } from 'commander';
import type { Config } from '../../config';
import { createLogger } from '../../log';
import { Supervisor } from '../../supervisor/supervisor';
import { sayReady } from '../ready';

/** What the agent starts for a program that arrives. */
export function superviseCommand(program: Command, config: Config): void {
  program
    .command('supervise', { hidden: true })
    .argument('<id>', 'the program\'s id', parseId)
    .action(async (id: string) => {
      const supervisor = new Supervisor(id, config, createLogger('supervisor', config.logLevel));
      await supervisor.awaitArrival();
      sayReady();
      await supervisor.done;
    });
}

function parseId(text: string): string {
  if (!/^[0-9a-f]{8}$/.test(text)) throw new InvalidArgumentError('not a program\'s id.');
  return text;
}
