/** What `migrun inspect` shows: the program's processes, descriptors and sockets, and who of its peers can follow. */
import { connectionsOf } from '../migration/moved-peers';
import { agentPatience } from '../migration/peers';
import type { AgentLink, MovingProgram } from '../migration/program';
import { reasonsAgainst } from '../migration/rules';
import { gatherFacts, namespacesOf, ownAddresses } from '../program/facts';
import { expectType, type Inspection } from '../protocol/control/index';
import { type Connection, connectionText } from '../vocabulary/endpoint';
import { isTcp, isUdp, tcpStateName } from '../vocabulary/sockets';

const INSPECT_DEADLINE_MS = 1_500;

export async function inspect(program: MovingProgram, agent: AgentLink): Promise<Inspection> {
  const facts = gatherFacts(program.cgroup, program.registry);
  const innerPids = new Map(facts.processes.map(({ pid, innerPid }) => [pid, innerPid]));
  const peers = await peerStatuses(program, connectionsOf(facts.sockets, facts.waiting, ownAddresses()), agent);
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
      peer: peers.get(connectionText({ ...socket, udp: isUdp(socket) })) ?? '',
    })),
    reasons: reasonsAgainst(facts.processes, facts.sockets, {
      namespaces: namespacesOf('self'),
      terminal: program.terminal?.path,
      addresses: new Set(ownAddresses()),
      unix: facts.unix,
      innerPids,
    }),
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
  }, agentPatience(connections));
  const { peers } = expectType(answer, 'introduced');
  return new Map(peers.map(({ connection, status }) => [connectionText(connection), status]));
}
