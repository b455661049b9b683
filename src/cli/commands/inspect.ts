import type { Command } from 'commander';
import type { Config } from '../../config';
import { expectType, type Inspection } from '../../protocol/control/index';
import { endpointText } from '../../vocabulary/endpoint';
import { openProgram } from '../local';
import { printJson, printLine, printTable } from '../print';

export function inspectCommand(program: Command, config: Config): void {
  program
    .command('inspect')
    .description("a program's processes, descriptors and sockets, and which peers can follow")
    .argument('<id>', 'its id, or the start of it')
    .option('--json', 'for scripts')
    .action(async (id: string, { json }: { json?: boolean }) => {
      const { summary, channel } = await openProgram(config, id);
      const { inspection: seen } = expectType(await channel.request({ type: 'inspect' }), 'inspected');
      channel.destroy();
      const inspection = { ...seen, program: summary }; // the agent knows more of its state
      if (json === true) printJson(inspection);
      else show(inspection);
    });
}

function show({ program, processes, sockets, reasons }: Inspection): void {
  printLine(`program ${program.id}, ${program.state}: ${program.command.join(' ')}`);
  for (const { pid, innerPid, name, executable, descriptors } of processes) {
    printLine(`\nprocess ${innerPid} (${name}), here ${pid}: ${executable}`);
    printTable(['FD', 'IS'], descriptors.map(({ fd, target }) => [String(fd), target]));
  }
  if (sockets.length > 0) {
    printLine('');
    printTable(
      ['PROCESS', 'FD', 'STATE', 'LOCAL', 'REMOTE', 'PEER'],
      sockets.map((socket) => [
        String(socket.innerPid),
        String(socket.fd),
        socket.state,
        endpointText(socket.local),
        socket.remote.port === 0 ? '' : endpointText(socket.remote),
        socket.peer === 'ok' ? 'can follow' : socket.peer,
      ]),
    );
  }
  printLine(reasons.length === 0 ? '\nnothing of it keeps it from moving' : '\nit cannot move:');
  for (const { code, message } of reasons) printLine(`  ${code}: ${message}`);
}
