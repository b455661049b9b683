/** Why a program cannot move, and how addresses are written in it. */
import type { Connection, Endpoint } from '../native/index';

/** One reason why a program cannot move. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function connectionText({ local, remote, udp }: Connection): string {
  return `${endpointText(local)} - ${endpointText(remote)}${udp === true ? ' (UDP)' : ''}`;
}
