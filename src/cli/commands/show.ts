import type { Command } from 'commander';
import { type Image, readImage } from '../../checkpoint/read-image';
import type { Config } from '../../config';
import { isConnectionSummary } from '../../kinds/saved';
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
  const { program, createdAt, host, migrun, kernel, architecture, terminal, processes, sockets, files } = manifest;
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
  if (sockets.length === 0) return;
  printLine('');
  printTable(
    ['PROCESS', 'FD', 'STATE', 'LOCAL', 'REMOTE', 'UNSENT', 'UNREAD'],
    sockets.map((socket) => [
      String(socket.pid),
      socket.waiting ? 'waits' : String(socket.fd),
      socket.state,
      endpointText(socket.local),
      socket.remote === null ? '' : endpointText(socket.remote),
      String(socket.sendQueue),
      String(socket.receiveQueue),
    ]),
  );
}

function holdText({ heldUntil, sockets }: Image['manifest']): string {
  if (heldUntil === null) return 'a copy: the program went on with its connections';
  if (!sockets.some(isConnectionSummary)) return 'nobody waits for it';
  const left = new Date(heldUntil).getTime() - Date.now();
  return left > 0 ? `its peers hold for ${duration(left)} more` : `its peers held until ${heldUntil}`;
}
