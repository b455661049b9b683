/** What a socket of any kind may have that nobody can carry; and sockets of no kind that moves. */
import type { SocketObstacle } from '../../native/index';
import { connectionText, endpointText } from '../../vocabulary/endpoint';
import type { Reason } from '../../vocabulary/refusal';
import { isTcp, isUdp, SOCK_RAW } from '../../vocabulary/sockets';
import { defineKind, type Facts } from '../kind';

type SocketFact = Facts['sockets'][number];

/** IANA's names of protocols that a program may meet; the rest are told by their number. */
const PROTOCOL_NAMES: Record<number, string> = {
  1: 'ICMP',
  17: 'UDP',
  33: 'DCCP',
  58: 'ICMPv6',
  132: 'SCTP',
  136: 'UDP-Lite',
  262: 'MPTCP',
};

export const obstacles = defineKind({
  name: 'socket-obstacles',

  refuse({ sockets, processes }: Facts): Reason[] {
    const innerPids = new Map(processes.map(({ pid, innerPid }) => [pid, innerPid]));
    return sockets.flatMap((socket) => [...reasonsOfNoKind(socket), ...socket.obstacles.map((obstacle) =>
      reasonOfObstacle(obstacle, `${socketText(socket)}${holderText(socket, innerPids)}`)
    )]);
  },
});

/** `who` is the socket, in words. */
export function reasonOfObstacle(obstacle: SocketObstacle, who: string): Reason {
  const { code, message } = OBSTACLES[obstacle];
  return { code, message: `${who} ${message}` };
}

export function socketText(socket: Pick<SocketFact, 'local' | 'remote'>): string {
  return socket.remote.port === 0 ? `the socket at ${endpointText(socket.local)}` : connectionText(socket);
}

/** Says who has the socket; nothing of a connection that waits to be accepted, which is nobody's yet. */
function holderText({ pid, pfd }: SocketFact, innerPids: ReadonlyMap<number, number>): string {
  const innerPid = innerPids.get(pid);
  return innerPid === undefined ? '' : ` (descriptor ${pfd} of process ${innerPid})`;
}

function reasonsOfNoKind(socket: SocketFact): Reason[] {
  if (isTcp(socket) || isUdp(socket)) return [];
  const { type, protocol, local } = socket;
  const kind = type === SOCK_RAW ? 'raw' : (PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`);
  return [{ code: 'E_SOCKET_KIND', message: `a socket of ${kind} (local ${endpointText(local)}) does not move yet` }];
}

/** What each obstacle is in words; the message goes on from the socket. */
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
