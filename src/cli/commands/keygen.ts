import type { Command } from 'commander';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../../config';
import { writeClusterKey } from '../../protocol/channel/index';
import { printLine } from '../print';

export function keygenCommand(program: Command, config: Config): void {
  program
    .command('keygen')
    .description('makes the cluster key; copy its file to every host that may send or take programs')
    .action(() => {
      mkdirSync(dirname(config.clusterKeyFile), { recursive: true, mode: 0o700 });
      writeClusterKey(config.clusterKeyFile);
      printLine(config.clusterKeyFile);
    });
}
