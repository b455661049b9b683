/** The options that programs set on TCP sockets: an option is a line. */

export interface OptionCase {
  readonly name: string;
  readonly level: number;
  readonly option: number;
  /** The bytes of the value. */
  readonly hex: string;
  /** The option is not set on sockets of these kinds. */
  readonly not?: readonly SocketKind[];
}

/** "connection" is one of IPv4; "mapped" is an IPv6 socket with IPv4 addresses. */
export type SocketKind = 'connection' | 'IPv6 connection' | 'mapped connection' | 'listening' | 'IPv6 listening'
  | 'bound' | 'unbound';
export const SOCKET_KINDS: readonly SocketKind[] = ['connection', 'IPv6 connection', 'mapped connection', 'listening',
  'IPv6 listening', 'bound', 'unbound'];

const [SOCKET, IP, TCP, IPV6] = [1, 0, 6, 41];
const V4: readonly SocketKind[] = ['connection', 'listening', 'bound', 'unbound'];
const CONNECTED: readonly SocketKind[] = ['connection', 'IPv6 connection', 'mapped connection'];
const ON = '01000000';

function number(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes.toString('hex');
}

function text(value: string): string {
  return Buffer.from(`${value}\0`).toString('hex');
}

/** struct timeval. */
function seconds(value: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes.toString('hex');
}

export const OPTION_CASES: readonly OptionCase[] = [
  { name: 'TCP_NODELAY', level: TCP, option: 1, hex: ON },
  { name: 'TCP_MAXSEG', level: TCP, option: 2, hex: number(1200), not: CONNECTED },
  { name: 'TCP_CORK', level: TCP, option: 3, hex: ON },
  { name: 'TCP_KEEPIDLE', level: TCP, option: 4, hex: number(77) },
  { name: 'TCP_KEEPINTVL', level: TCP, option: 5, hex: number(11) },
  { name: 'TCP_KEEPCNT', level: TCP, option: 6, hex: number(7) },
  { name: 'TCP_SYNCNT', level: TCP, option: 7, hex: number(3) },
  { name: 'TCP_LINGER2', level: TCP, option: 8, hex: number(17) },
  { name: 'TCP_DEFER_ACCEPT', level: TCP, option: 9, hex: number(5) },
  { name: 'TCP_WINDOW_CLAMP', level: TCP, option: 10, hex: number(30_000) },
  { name: 'TCP_CONGESTION', level: TCP, option: 13, hex: text('reno') },
  { name: 'TCP_THIN_LINEAR_TIMEOUTS', level: TCP, option: 16, hex: ON },
  { name: 'TCP_USER_TIMEOUT', level: TCP, option: 18, hex: number(77_000) },
  { name: 'TCP_FASTOPEN', level: TCP, option: 23, hex: number(5), not: CONNECTED },
  { name: 'TCP_NOTSENT_LOWAT', level: TCP, option: 25, hex: number(12_345) },
  { name: 'TCP_SAVE_SYN', level: TCP, option: 27, hex: ON, not: CONNECTED },
  { name: 'TCP_INQ', level: TCP, option: 36, hex: ON },
  { name: 'TCP_TX_DELAY', level: TCP, option: 37, hex: number(1) },
  { name: 'SO_DEBUG', level: SOCKET, option: 1, hex: ON },
  { name: 'SO_BROADCAST', level: SOCKET, option: 6, hex: ON },
  { name: 'SO_SNDBUF', level: SOCKET, option: 7, hex: number(50_000) },
  { name: 'SO_RCVBUF', level: SOCKET, option: 8, hex: number(60_000) },
  { name: 'SO_KEEPALIVE', level: SOCKET, option: 9, hex: ON },
  { name: 'SO_OOBINLINE', level: SOCKET, option: 10, hex: ON },
  { name: 'SO_PRIORITY', level: SOCKET, option: 12, hex: number(5) },
  { name: 'SO_LINGER', level: SOCKET, option: 13, hex: ON + number(20) },
  {
    name: 'SO_REUSEPORT',
    level: SOCKET,
    option: 15,
    hex: ON,
    not: ['listening', 'IPv6 listening', 'bound', 'connection', 'IPv6 connection', 'mapped connection'],
  },
  { name: 'SO_RCVLOWAT', level: SOCKET, option: 18, hex: number(2) },
  { name: 'SO_RCVTIMEO', level: SOCKET, option: 20, hex: seconds(30) },
  { name: 'SO_SNDTIMEO', level: SOCKET, option: 21, hex: seconds(31) },
  { name: 'SO_BINDTODEVICE', level: SOCKET, option: 25, hex: text('eth0') },
  { name: 'SO_TIMESTAMPNS', level: SOCKET, option: 35, hex: ON },
  { name: 'SO_MARK', level: SOCKET, option: 36, hex: number(77) },
  { name: 'SO_TIMESTAMPING', level: SOCKET, option: 37, hex: number(8 | 16) },
  { name: 'SO_PEEK_OFF', level: SOCKET, option: 42, hex: number(5) },
  { name: 'SO_MAX_PACING_RATE', level: SOCKET, option: 47, hex: number(50_000_000) },
  { name: 'SO_INCOMING_CPU', level: SOCKET, option: 49, hex: ON, not: CONNECTED },
  { name: 'SO_ZEROCOPY', level: SOCKET, option: 60, hex: ON },
  { name: 'IP_TOS', level: IP, option: 1, hex: number(0x10) },
  { name: 'IP_TTL', level: IP, option: 2, hex: number(33) },
  { name: 'IP_PKTINFO', level: IP, option: 8, hex: ON },
  { name: 'IP_MTU_DISCOVER', level: IP, option: 10, hex: number(3) },
  { name: 'IP_RECVERR', level: IP, option: 11, hex: ON },
  { name: 'IP_RECVTTL', level: IP, option: 12, hex: ON },
  { name: 'IP_RECVTOS', level: IP, option: 13, hex: ON },
  { name: 'IP_FREEBIND', level: IP, option: 15, hex: ON },
  { name: 'IP_TRANSPARENT', level: IP, option: 19, hex: ON },
  { name: 'IP_MINTTL', level: IP, option: 21, hex: number(2) },
  { name: 'IP_BIND_ADDRESS_NO_PORT', level: IP, option: 24, hex: ON },
  { name: 'IPV6_UNICAST_HOPS', level: IPV6, option: 16, hex: number(34), not: V4 },
  { name: 'IPV6_MTU_DISCOVER', level: IPV6, option: 23, hex: number(3), not: V4 },
  { name: 'IPV6_RECVERR', level: IPV6, option: 25, hex: ON, not: V4 },
  { name: 'IPV6_ROUTER_ALERT_ISOLATE', level: IPV6, option: 30, hex: ON, not: V4 },
  { name: 'IPV6_FLOWINFO_SEND', level: IPV6, option: 33, hex: ON, not: V4 },
  { name: 'IPV6_RECVPKTINFO', level: IPV6, option: 49, hex: ON, not: V4 },
  { name: 'IPV6_RECVHOPLIMIT', level: IPV6, option: 51, hex: ON, not: V4 },
  { name: 'IPV6_RECVTCLASS', level: IPV6, option: 66, hex: ON, not: V4 },
  { name: 'IPV6_TCLASS', level: IPV6, option: 67, hex: number(0x20), not: V4 },
  { name: 'IPV6_AUTOFLOWLABEL', level: IPV6, option: 70, hex: number(0), not: V4 },
  { name: 'IPV6_ADDR_PREFERENCES', level: IPV6, option: 72, hex: number(1), not: V4 },
  { name: 'IPV6_DONTFRAG', level: IPV6, option: 62, hex: ON, not: V4 },
];
