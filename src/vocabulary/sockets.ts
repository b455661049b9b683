/** What the kernel numbers of sockets: families, types, protocols, and the states of TCP. */

export const [AF_INET, AF_INET6] = [2, 10] as const;
export const INET_FAMILIES: readonly number[] = [AF_INET, AF_INET6];
const SOCK_STREAM = 1;
export const [SOCK_DGRAM, SOCK_RAW] = [2, 3] as const;
export const [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6] = [6, 17, 41] as const;

/** The numbers of include/net/tcp_states.h. */
export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
const TCP_FIN_WAIT1 = 4;
const TCP_FIN_WAIT2 = 5;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
const TCP_CLOSING = 11;
const TCP_STATE_NAMES = ['', 'ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'TIME_WAIT', 'CLOSE',
  'CLOSE_WAIT', 'LAST_ACK', 'LISTEN', 'CLOSING'];

/** Both ends have seen the connection made, and it has not ended altogether. */
export const CONNECTED_STATES: readonly number[] = [TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT,
  TCP_LAST_ACK, TCP_CLOSING];
/** Something of ours, bytes or the FIN, may be on its way when the program has closed the connection. */
export const CLOSING_STATES: readonly number[] = [TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_CLOSING];
/** The other end's FIN has been received. */
export const FIN_RECEIVED_STATES: readonly number[] = [TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING];
/** A completed connection that waits to be accepted is in one of these. */
export const WAITING_STATES: readonly number[] = [TCP_ESTABLISHED, TCP_CLOSE_WAIT];

/** Type and protocol, as SO_TYPE and SO_PROTOCOL tell them. */
export interface SocketKind {
  readonly type: number;
  readonly protocol: number;
}

export function isTcp({ type, protocol }: SocketKind): boolean {
  return type === SOCK_STREAM && protocol === IPPROTO_TCP;
}

export function isUdp({ type, protocol }: SocketKind): boolean {
  return type === SOCK_DGRAM && protocol === IPPROTO_UDP;
}

export function tcpStateName(state: number): string {
  return TCP_STATE_NAMES[state] ?? `state ${state}`;
}

/** Whether it is a TCP connection that both ends have: such a one is locked, saved and revived. */
export function isConnection(socket: SocketKind & { readonly state: number }): boolean {
  return isTcp(socket) && CONNECTED_STATES.includes(socket.state);
}

/** Whether it is a connect in progress. */
export function isConnecting(socket: SocketKind & { readonly state: number }): boolean {
  return isTcp(socket) && socket.state === TCP_SYN_SENT;
}
