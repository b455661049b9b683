/** `migrun suspend` and `migrun resume`: a program's connections are held at both ends, and let go, where they are. */
import { MigrunError } from '../errors';
import { reasonsOfPeers, refusal } from '../migration/refusal';
import { isConnection, isLocal } from '../migration/rules';
import { native } from '../native/index';
import { pidsOf } from '../program/pod';
import type { PauseReport } from '../protocol/control/index';
import type { Connection } from '../vocabulary/endpoint';
import type { Peering } from './peering/index';
import type { Programs } from './programs';

/** Throws E_NO_PROGRAM, E_SUSPENDED, E_BUSY, and where a peer cannot hold, all of them; then nothing is held. */
export async function suspendProgram(
  programs: Programs,
  peering: Peering,
  id: string,
  holdMs: number,
): Promise<PauseReport> {
  const { summary, cgroup } = find(programs, id);
  if (summary.state === 'suspended')
    throw new MigrunError('E_SUSPENDED', `program ${id} is suspended already`, {
      hint: `go on with: migrun resume ${id}`,
    });
  if (summary.state !== 'running')
    throw new MigrunError('E_BUSY', `program ${id} is ${summary.state}`, { hint: 'wait for it' });
  const connections = await peering.pause({
    group: summary.group,
    connections: connectionsOf(cgroup),
    leaseMs: holdMs,
  });
  const refused = connections.filter(({ status }) => status !== 'ok');
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  return { program: id, connections, leftMs: peering.pauseLeft(summary.group) ?? 0 };
}

/** Throws E_NO_PROGRAM, E_NOT_SUSPENDED. */
export async function resumeProgram(programs: Programs, peering: Peering, id: string): Promise<PauseReport> {
  const { summary } = find(programs, id);
  if (summary.state !== 'suspended')
    throw new MigrunError('E_NOT_SUSPENDED', `program ${id} is not suspended, or not any more`, {
      hint: 'see it with: migrun ls',
    });
  return { program: id, connections: await peering.endPause(summary.group), leftMs: 0 };
}

function find(programs: Programs, id: string): NonNullable<ReturnType<Programs['find']>> {
  const found = programs.find(id);
  if (found === undefined)
    throw new MigrunError('E_NO_PROGRAM', `no program ${id} runs here`, { hint: 'see them: migrun ls' });
  return found;
}

/** Those to other hosts. What is just being made, and what stays on this host, needs no network of ours. */
function connectionsOf(cgroup: string): Connection[] {
  const held = native.socketCollect(pidsOf(cgroup));
  for (const { fd } of held) native.closeFd(fd);
  return held.filter((socket) => isConnection(socket) && !isLocal(socket)).map(({ local, remote }) => ({
    local,
    remote,
  }));
}
