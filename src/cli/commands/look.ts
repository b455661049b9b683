/** The commands that show what there is: the programs of this host, one of them, and what is in a checkpoint. */
import type { Command } from 'commander';
import { connectionsIn } from '../../checkpoint/manifest';
import { type Image, readImage } from '../../checkpoint/read-image';
import type { Config } from '../../config';
import { readClusterKey } from '../../protocol/channel/index';
import { expectType, type Inspection, type ProgramSummary } from '../../protocol/control/index';
import { endpointText } from '../../vocabulary/endpoint';
import { listPrograms, openProgram } from '../local';
import { count, duration, printJson, printLine, printTable, size } from '../print';

export function listCommand(program: Command, config: Config): void {
  program.command('ls').description('the programs of this host').option('--json', 'for scripts').action(
    async ({ json }: { json?: boolean }) => {
      const programs = await listPrograms(config);
      if (json === true) printJson(programs);
      else printTable(['ID', 'STATE', 'PID', 'CONNECTIONS', 'RUNNING FOR', 'COMMAND'], programs.map(row));
    },
  );
}

function row({ id, state, suspendedForMs, pid, connections, startedAt, command }: ProgramSummary): string[] {
  const shown = suspendedForMs === undefined ? state : `${state}, ${duration(suspendedForMs)} left`;
  return [id, shown, String(pid), String(connections), duration(Date.now() - startedAt), command.join(' ')];
}

export function inspectCommand(program: Command, config: Config): void {
  program.command('inspect').description("a program's processes, descriptors and sockets, and which peers can follow")
    .argument('<id>', 'its id, or the start of it').option('--json', 'for scripts').action(
      async (id: string, { json }: { json?: boolean }) => {
        const { summary, channel } = await openProgram(config, id);
        const { inspection: seen } = expectType(await channel.request({ type: 'inspect' }), 'inspected');
        channel.destroy();
        const inspection = { ...seen, program: summary }; // the agent knows more of its state
        if (json === true) printJson(inspection);
        else showProgram(inspection);
      },
    );
}

function showProgram({ program, processes, sockets, reasons }: Inspection): void {
  printLine(`program ${program.id}, ${program.state}: ${program.command.join(' ')}`);
  for (const { pid, innerPid, name, executable, descriptors } of processes) {
    printLine(`\nprocess ${innerPid} (${name}), here ${pid}: ${executable}`);
    printDescriptors(descriptors);
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

export function showCommand(program: Command, config: Config): void {
  program.command('show').description(
    'what is in a checkpoint: processes, descriptors, connections, sizes; all of it is checked',
  ).argument('<file>', 'what migrun checkpoint wrote').option('--json', 'its manifest, for scripts').action(
    async (file: string, { json }: { json?: boolean }) => {
      const image = await readImage(file, readClusterKey(config.clusterKeyFile));
      if (json === true) printJson(image.manifest);
      else showImage(image);
    },
  );
}

function showImage({ manifest, bytes }: Image): void {
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
    printDescriptors(descriptors);
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

function holdText(manifest: Image['manifest']): string {
  const { heldUntil } = manifest;
  if (heldUntil === null) return 'a copy: the program went on with its connections';
  if (connectionsIn(manifest).length === 0) return 'nobody waits for it';
  const left = new Date(heldUntil).getTime() - Date.now();
  return left > 0 ? `its peers hold for ${duration(left)} more` : `its peers held until ${heldUntil}`;
}

function printDescriptors(descriptors: readonly { readonly fd: number; readonly target: string }[]): void {
  printTable(['FD', 'IS'], descriptors.map(({ fd, target }) => [String(fd), target]));
}
