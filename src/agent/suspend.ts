/** `migrun suspend` and `migrun resume`: a program's connections are held at both ends, and let go, where they are. */
import { MigrunError } from '../errors';
import { native } from '../native/index';
import { pidsOf } from '../program/pod';
import type { SuspendReport } from '../protocol/control/index';
import { type Connection, isLocal } from '../vocabulary/endpoint';
import { reasonsOfPeers, refusal } from '../vocabulary/refusal';
import { isConnection } from '../vocabulary/sockets';
import type { Peering } from './peering/index';
import type { Programs } from './programs';

/** Throws E_NO_PROGRAM, E_SUSPENDED, E_BUSY, and where a peer cannot hold, all of them; then nothing is held. */
export async function suspendProgram(
  programs: Programs,
  peering: Peering,
  id: string,
  holdMs: number,
): Promise<SuspendReport> {
  const { summary, cgroup } = find(programs, id);
  if (summary.state === 'suspended')
    throw new MigrunError('E_SUSPENDED', `program ${id} is suspended already`, {
      hint: `go on with: migrun resume ${id}`,
    });
  if (summary.state !== 'running')
    throw new MigrunError('E_BUSY', `program ${id} is ${summary.state}`, { hint: 'wait for it' });
  const connections = await peering.suspendProgram({
    group: summary.group,
    connections: connectionsOf(cgroup),
    leaseMs: holdMs,
  });
  const refused = connections.filter(({ status }) => status !== 'ok');
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  return { program: id, connections, leftMs: peering.suspendedForMs(summary.group) ?? 0 };
}

/** Throws E_NO_PROGRAM, E_NOT_SUSPENDED. */
export async function resumeProgram(programs: Programs, peering: Peering, id: string): Promise<SuspendReport> {
  const { summary } = find(programs, id);
  if (summary.state !== 'suspended')
    throw new MigrunError('E_NOT_SUSPENDED', `program ${id} is not suspended, or not any more`, {
      hint: 'see it with: migrun ls',
    });
  return { program: id, connections: await peering.resumeProgram(summary.group), leftMs: 0 };
}

function find(programs: Programs, id: string): NonNullable<ReturnType<Programs['find']>> {
  const found = programs.find(id);
  if (found === undefined)
    throw new MigrunError('E_NO_PROGRAM', `no program ${id} runs here`, { hint: 'see them: migrun ls' });
  return found;
}

/** The program's connections to other hosts. One that is just being made, or stays on this host, needs no holding. */
function connectionsOf(cgroup: string): Connection[] {
  const held = native.socketCollect(pidsOf(cgroup));
  for (const { fd } of held) native.closeFd(fd);
  return held.filter((socket) => isConnection(socket) && !isLocal(socket)).map(({ local, remote }) => ({
    local,
    remote,
  }));
}
