import type { Command } from 'commander';
import { sayReady } from '../../agent/spawn-self';
import type { Config } from '../../config';
import { createLogger } from '../../log';
import { Supervisor } from '../../supervisor/supervisor';
import { parseId } from '../arguments';

/** The agent starts this for a program that arrives, and for one whose supervisor died. */
export function superviseCommand(program: Command, config: Config): void {
  program
    .command('supervise', { hidden: true })
    .argument('<id>', "the program's id", parseId)
    .option('--adopt', 'it is here, and its supervisor died')
    .action(async (id: string, { adopt }: { adopt?: boolean }) => {
      const supervisor = new Supervisor(id, config, createLogger('supervisor', config.logLevel));
      await (adopt === true ? supervisor.succeed() : supervisor.awaitArrival());
      sayReady();
      if (adopt === true) await supervisor.recover();
      await supervisor.done;
    });
}
