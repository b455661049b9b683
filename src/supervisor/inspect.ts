/** What `migrun inspect` shows: the program's processes, descriptors and sockets, and who of its peers can follow. */
import { look, peersOf, refuse } from '../kinds/look';
import type { AgentLink, MovingProgram } from '../kinds/program';
import { expectType, type Inspection } from '../protocol/control/index';
import { agentTimeout, INSPECT_DEADLINE_MS } from '../times';
import { type Connection, connectionName } from '../vocabulary/endpoint';
import { isTcp, isUdp, tcpStateName } from '../vocabulary/sockets';

export async function inspect(program: MovingProgram, agent: AgentLink): Promise<Inspection> {
  const facts = look(program);
  const peers = await peerStatuses(program, peersOf(facts), agent);
  return {
    program: program.summary,
    processes: facts.processes.map(({ pid, innerPid, name, executable, descriptors }) => ({
      pid,
      innerPid,
      name,
      executable,
      descriptors: descriptors.map(({ fd, target }) => ({ fd, target })),
    })),
    sockets: facts.sockets.map((socket) => ({
      innerPid: socket.innerPid,
      fd: socket.pfd,
      kind: isTcp(socket) ? 'tcp' : isUdp(socket) ? 'udp' : 'other',
      state: isTcp(socket) ? tcpStateName(socket.state) : isUdp(socket) ? 'UDP' : '',
      local: socket.local,
      remote: socket.remote,
      peer: peers.get(connectionName({ ...socket, udp: isUdp(socket) })) ?? '',
    })),
    reasons: refuse(facts),
  };
}

async function peerStatuses(
  program: MovingProgram,
  connections: Connection[],
  agent: AgentLink,
): Promise<Map<string, string>> {
  if (connections.length === 0) return new Map();
  const answer = await agent.ask({
    type: 'introduce',
    group: program.identity.group,
    connections,
    deadlineMs: INSPECT_DEADLINE_MS,
  }, agentTimeout(connections));
  const { peers } = expectType(answer, 'introduced');
  return new Map(peers.map(({ connection, status }) => [connectionName(connection), status]));
}
