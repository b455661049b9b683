/** What cannot move, decided from facts alone: all reasons at once, each with a stable code. No I/O. */
import type { ProgramSocket, SocketObstacle, UnixSocket } from '../native/index';
import { socketInodes } from '../program/descriptors';
import type { ProcessFact } from '../program/facts';
import { isLinkLocal, isLoopback, plainAddress } from '../vocabulary/addresses';
import { type Connection, connectionText, endpointText } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/reason';
import { CONNECTED_STATES, isTcp, isUdp, SOCK_RAW, TCP_CLOSE, TCP_LISTEN, TCP_SYN_SENT,
  tcpStateName } from '../vocabulary/sockets';
import { type DescriptorContext, reasonOfDescriptor, reasonsOfPipes } from './descriptor-rules';
import { isInside, reasonsOfUdp } from './udp-rules';
import { reasonsOfUnix, unixFacts } from './unix-rules';

/** The part of the facts that the rules read. */
export type RuledProcess = Pick<ProcessFact, 'pid' | 'innerPid' | 'name' | 'descriptors' | 'namespaces' | 'tracer'>;
export type RuledSocket = Pick<ProgramSocket,
  'inode' | 'pid' | 'pfd' | 'type' | 'protocol' | 'state' | 'local' | 'remote' | 'obstacles'>;

const CARRIED_STATES = [...CONNECTED_STATES, TCP_SYN_SENT, TCP_CLOSE, TCP_LISTEN];

/** Of IANA's protocol numbers those that a program may meet; the rest are told by their number. */
const PROTOCOL_NAMES: Record<number, string> = {
  1: 'ICMP',
  17: 'UDP',
  33: 'DCCP',
  58: 'ICMPv6',
  132: 'SCTP',
  136: 'UDP-Lite',
  262: 'MPTCP',
};

const OBSTACLES: Record<SocketObstacle, Reason> = {
  'ebpf-filter': { code: 'E_SOCKET_FILTER', message: 'has an eBPF filter, which the kernel lets nobody read' },
  'locked-filter': { code: 'E_SOCKET_FILTER', message: 'has SO_LOCK_FILTER, so that nothing can be locked for a move' },
  'upper-layer': {
    code: 'E_TCP_ULP',
    message: 'has TLS, or another protocol on top of TCP, in the kernel, which lets nobody read its state',
  },
  authentication: {
    code: 'E_TCP_KEYS',
    message: 'signs its segments (TCP-AO or MD5) with keys that the kernel lets nobody read',
  },
  'urgent-data': {
    code: 'E_URGENT_DATA',
    message: 'has received urgent data that the program has not read, and its mark cannot move; try again when it has',
  },
  zerocopy: {
    code: 'E_ERROR_QUEUE',
    message:
      'sends without copying (MSG_ZEROCOPY), and the program waits to be told when it may use that memory again; try again',
  },
  'error-queue': {
    code: 'E_ERROR_QUEUE',
    message: 'has errors or timestamps that the program has not read; try again when it has',
  },
  interface: {
    code: 'E_SOCKET_OPTION',
    message: 'has IP_UNICAST_IF or IPV6_UNICAST_IF: it names an interface of this host by its number',
  },
  'extension-headers': { code: 'E_SOCKET_OPTION', message: 'has IPv6 extension headers set, which do not move' },
  corked: { code: 'E_SOCKET_OPTION', message: 'has UDP_CORK: a datagram in the making does not move' },
  encapsulation: { code: 'E_SOCKET_OPTION', message: "has UDP_ENCAP: a protocol of the kernel's own uses it" },
  'group-program': {
    code: 'E_SOCKET_FILTER',
    message:
      'is in an SO_REUSEPORT group with a program of its own (SO_ATTACH_REUSEPORT_CBPF or _EBPF), which the kernel lets nobody read; detach it (SO_DETACH_REUSEPORT_BPF)',
  },
  'multicast-index': {
    code: 'E_SOCKET_OPTION',
    message: "has IP_MULTICAST_IF by an interface's index, which the kernel lets nobody read; give an address",
  },
  'multicast-stream': {
    code: 'E_SOCKET_OPTION',
    message: 'has joined a multicast group (MCAST_JOIN_GROUP), which does not move with a TCP socket',
  },
  'fragment-size': { code: 'E_SOCKET_OPTION', message: 'has IPV6_MTU, which the kernel lets nobody read; set it to 0' },
  'packet-info': {
    code: 'E_SOCKET_OPTION',
    message: 'has IPV6_PKTINFO: an address or an interface of this host, which the kernel lets nobody read',
  },
  'flow-label': {
    code: 'E_SOCKET_OPTION',
    message: 'has a flow label (IPV6_FLOWLABEL_MGR, or sin6_flowinfo of its connect), which is of this host',
  },
  anycast: {
    code: 'E_SOCKET_OPTION',
    message: 'has joined an anycast group (IPV6_JOIN_ANYCAST), which is of this host',
  },
  policy: {
    code: 'E_SOCKET_OPTION',
    message: 'has an IPsec policy (IP_XFRM_POLICY or IPV6_XFRM_POLICY), which the kernel lets nobody read',
  },
  'zerocopy-numbers': {
    code: 'E_SOCKET_OPTION',
    message: 'has sent without copying (MSG_ZEROCOPY): the kernel numbers what it tells of that, and would begin anew',
  },
  'saved-syn': {
    code: 'E_SOCKET_OPTION',
    message: 'has the SYN that it began with (TCP_SAVE_SYN), which does not move; read it (TCP_SAVED_SYN)',
  },
  'timestamp-numbers': {
    code: 'E_SOCKET_OPTION',
    message: 'has its timestamps numbered (SOF_TIMESTAMPING_OPT_ID), and the kernel would begin anew',
  },
  ended: {
    code: 'E_TCP_STATE',
    message: 'is closed, with bytes in it that the program has not read; try again when it has',
  },
  'fast-open': { code: 'E_TCP_STATE', message: 'is connecting with TCP Fast Open; try again when it has' },
};

/** A connection that moves as such: it is suspended, saved and revived. */
export function isConnection(socket: RuledSocket): boolean {
  return isTcp(socket) && CONNECTED_STATES.includes(socket.state);
}

/** A connect in progress: it is made again, from the other host. */
export function isConnecting(socket: RuledSocket): boolean {
  return isTcp(socket) && socket.state === TCP_SYN_SENT;
}

export interface RuleContext {
  /** The supervisor's own namespaces. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** The target of the terminal's descriptors, where the program has one. */
  readonly terminal: string | undefined;
  /** This host's own, but for loopback; on the wire. */
  readonly addresses: ReadonlySet<string>;
  /** The UNIX sockets of this host. */
  readonly unix: readonly UnixSocket[];
  /** By the pids of this host. */
  readonly innerPids: ReadonlyMap<number, number>;
}

export function reasonsAgainst(
  processes: readonly RuledProcess[],
  sockets: readonly RuledSocket[],
  context: RuleContext,
): Reason[] {
  const unix = unixFacts(socketInodes(processes), context.unix);
  const judged = new Set([...sockets, ...unix.own].map(({ inode }) => inode));
  const descriptors = { terminal: context.terminal, sockets: judged, pids: new Set(processes.map(({ pid }) => pid)) };
  return [...processes.flatMap((process) => reasonsOfProcess(process, context, descriptors)),
    ...reasonsOfPipes(processes), ...reasonsOfUnix(unix),
    ...sockets.flatMap((socket) => reasonsOfSocket(socket, sockets, context))];
}

function reasonsOfProcess(process: RuledProcess, context: RuleContext, descriptors: DescriptorContext): Reason[] {
  const reasons: Reason[] = [];
  const who = `process ${process.innerPid} (${process.name})`;
  if (process.tracer !== 0)
    reasons.push({
      code: 'E_TRACED',
      message: `${who} is being traced by process ${process.tracer}; detach the debugger`,
    });
  for (const [name, own] of Object.entries(context.namespaces)) {
    if (name !== 'pid' && process.namespaces[name] !== own) {
      reasons.push({
        code: 'E_NAMESPACE',
        message: `${who} is in another ${name} namespace; programs with namespaces of their own do not move`,
      });
    }
  }
  for (const descriptor of process.descriptors) {
    const reason = reasonOfDescriptor(descriptor, descriptors);
    if (reason !== undefined)
      reasons.push({ code: reason.code, message: `${who} has ${reason.message} (descriptor ${descriptor.fd})` });
  }
  return reasons;
}

/** `who` is the socket, in words. */
export function reasonOfObstacle(obstacle: SocketObstacle, who: string): Reason {
  const { code, message } = OBSTACLES[obstacle];
  return { code, message: `${who} ${message}` };
}

function reasonsOfSocket(
  socket: RuledSocket,
  all: readonly RuledSocket[],
  { addresses, innerPids }: RuleContext,
): Reason[] {
  const reasons = isUdp(socket)
    ? reasonsOfUdp(socket, all.filter(isUdp).map(({ local }) => local), addresses)
    : reasonsOfKind(socket, all);
  return [...reasons,
    ...socket.obstacles.map((obstacle) =>
      reasonOfObstacle(obstacle, `${socketText(socket)}${holderText(socket, innerPids)}`)
    )];
}

function socketText(socket: RuledSocket): string {
  return socket.remote.port === 0 ? `the socket at ${endpointText(socket.local)}` : connectionText(socket);
}

/** A connection that waits to be accepted is nobody's yet. */
function holderText({ pid, pfd }: RuledSocket, innerPids: ReadonlyMap<number, number>): string {
  const innerPid = innerPids.get(pid);
  return innerPid === undefined ? '' : ` (descriptor ${pfd} of process ${innerPid})`;
}

function kindName({ type, protocol }: RuledSocket): string {
  return type === SOCK_RAW ? 'raw' : (PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`);
}

function reasonsOfKind(socket: RuledSocket, all: readonly RuledSocket[]): Reason[] {
  if (!isTcp(socket))
    return [{
      code: 'E_SOCKET_KIND',
      message: `a socket of ${kindName(socket)} (local ${endpointText(socket.local)}) does not move yet`,
    }];
  if (!CARRIED_STATES.includes(socket.state)) {
    return [{
      code: 'E_TCP_STATE',
      message: `${connectionText(socket)} is in ${
        tcpStateName(socket.state)
      }, which does not move yet; try again when it has passed`,
    }];
  }
  if (isLinkLocal(socket.local.address) || isLinkLocal(socket.remote.address)) {
    return [{
      code: 'E_ADDRESS',
      message: `${socketText(socket)} uses link-local addresses, which mean nothing on another link`,
    }];
  }
  if (isConnecting(socket) && isLoopback(socket.remote.address) && !isHeard(socket, all)) {
    return [{
      code: 'E_LOCAL_CONNECTION',
      message: `${
        connectionText(socket)
      } is just being made, to a program that stays on this host; try again when it is`,
    }];
  }
  return [];
}

/** A connect in progress to a socket of the program itself. */
export function isHeard({ local, remote }: Connection, all: readonly RuledSocket[]): boolean {
  if (!isLocal({ local, remote })) return false;
  return isInside(remote, all.filter(({ state }) => state === TCP_LISTEN).map((listener) => listener.local));
}

/** Both ends are on this host. */
export function isLocal({ local, remote }: Connection): boolean {
  return plainAddress(local.address) === plainAddress(remote.address) || isLoopback(remote.address);
}
