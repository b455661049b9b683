/** Connections that wait to be accepted go into the queue of a listening socket, here or where they came from. */
import { ownCgroup } from '../config';
import { MigrunError } from '../errors';
import { native, type WaitingRequest } from '../native/index';
import { type Connection, endpointText } from '../vocabulary/endpoint';
import type { MovingConnection } from './state';

export interface Place {
  readonly connection: Pick<MovingConnection, 'saved' | 'waiting'>;
  /** Our descriptor of the listening socket, which is locked, and stays so. */
  readonly listener: number;
  /** Where it is now; undefined: where it was, and its peer has not moved either. */
  readonly ends: Connection | undefined;
}

const HINTS: Record<string, string> = {
  ENOSPC: 'raise net.core.somaxconn there',
  EPROTO: 'do net.ipv4.tcp_timestamps, tcp_sack and tcp_window_scaling differ between the hosts?',
  ETIMEDOUT: 'does a firewall drop what that host says to itself?',
};

/** In order, up to the first that fails, with E_ACCEPT_QUEUE. `pod` is the cgroup of the listening sockets. */
export function fillQueues(places: readonly Place[], pod: string): { count: number; failure?: MigrunError } {
  try {
    native.acceptQueueFill(places.map(request), pod, ownCgroup());
    return { count: places.length };
  } catch (cause) {
    const { code = '', message, index: count = 0 } = cause as { code?: string; message: string; index?: number };
    const where = endpointText((places[count] as Place).connection.saved.local);
    const text = `a connection that waits at ${where} does not go into an accept queue again: ${message}`;
    return {
      count,
      failure: new MigrunError('E_ACCEPT_QUEUE', text, { hint: HINTS[code] ?? 'its log says more', cause }),
    };
  }
}

function request({ connection: { saved, waiting }, listener, ends }: Place): WaitingRequest {
  const receiveBuffer = waiting?.receiveBuffer ?? 0;
  const { local, remote } = ends ?? saved;
  return { listener, saved, local, remote, receiveBuffer, peerStays: ends === undefined || waiting?.alone === true };
}
