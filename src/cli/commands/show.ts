import type { Command } from 'commander';
import { type Image, readImage } from '../../checkpoint/read-image';
import type { Config } from '../../config';
import { readClusterKey } from '../../protocol/channel/index';
import { endpointText } from '../../vocabulary/endpoint';
import { count, duration, printJson, printLine, printTable, size } from '../print';

export function showCommand(program: Command, config: Config): void {
  program
    .command('show')
    .description('what is in a checkpoint: processes, descriptors, connections, sizes; all of it is checked')
    .argument('<file>', 'what migrun checkpoint wrote')
    .option('--json', 'its manifest, for scripts')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const image = await readImage(file, readClusterKey(config.clusterKeyFile));
      if (json === true) printJson(image.manifest);
      else show(image);
    });
}

function show({ manifest, bytes }: Image): void {
  const { program, createdAt, host, migrun, kernel, architecture, terminal, processes, connections, listeners, udp,
    files } = manifest;
  printLine(`program ${program.id}: ${program.command.join(' ')}`);
  printLine(
    `made ${createdAt} on ${host} (${architecture}, Linux ${kernel}) by migrun ${migrun}; ${size(bytes)} in ${
      count(files.length, 'file')
    }${terminal ? '; with a terminal' : ''}`,
  );
  printLine(holdText(manifest));
  for (const { pid, name, executable, descriptors } of processes) {
    printLine(`\nprocess ${pid} (${name}): ${executable}`);
    printTable(['FD', 'IS'], descriptors.map(({ fd, target }) => [String(fd), target]));
  }
  if (listeners.length + udp.length + connections.length === 0) return;
  printLine('');
  printTable(
    ['PROCESS', 'FD', 'STATE', 'LOCAL', 'REMOTE', 'UNSENT', 'UNREAD'],
    [
      ...listeners.map((local) => ['', '', 'LISTEN', endpointText(local), '', '', '']),
      ...connections.map(({ pid, fd, state, local, remote, sendQueue, receiveQueue, waiting }) => [
        String(pid),
        waiting ? 'waits' : String(fd),
        state,
        endpointText(local),
        endpointText(remote),
        String(sendQueue),
        String(receiveQueue),
      ]),
      ...udp.map(
        ({ pid, fd, local, remote }) => [String(pid), String(fd), 'UDP', endpointText(local),
          remote.port === 0 ? '' : endpointText(remote), '', ''],
      ),
    ],
  );
}

function holdText({ heldUntil, connections }: Image['manifest']): string {
  if (heldUntil === null) return 'a copy: the program went on with its connections';
  if (connections.length === 0) return 'nobody waits for it';
  const left = new Date(heldUntil).getTime() - Date.now();
  return left > 0 ? `its peers hold for ${duration(left)} more` : `its peers held until ${heldUntil}`;
}
