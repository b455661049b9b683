/**
 * Connections that the kernel has completed and the program has not accepted. Once it is frozen they are taken out of the
 * accept queues and move like the others, into the queues of the copy; where the migration is undone they go back into
 * those that they were in (native/accept_queue.h).
 */
import { MigrunError } from '../errors';
import { native, type Connection, type HeldSocket, type SocketObstacle } from '../native/index';
import { innerPid } from '../program/pod';
import { fillQueues, type Place } from './accept-queue';
import { LEASE_MS } from './peers';
import { connectionText, endpointText, isConnection, TCP_CLOSE, TCP_CLOSE_WAIT } from './rules';
import type { SourceContext, WaitingSocket } from './source-context';
import type { MovingConnection } from './state';

/** What an agent says of an end that is closed: there is nobody to follow. */
const CLOSED = ['no-owner', 'no-socket'];

/** Throws where some stay: they would be lost. */
export function takeWaiting(context: SourceContext): void {
  for (const listener of context.listeners) {
    for (const socket of native.takeWaiting(listener.fd)) context.waiting.push({ socket: { ...socket, obstacles: obstaclesOf(socket) }, listener });
    if (native.describeSocket(listener.fd).backlog > 0) {
      throw new MigrunError('E_ACCEPT_QUEUE', `not all connections that wait at ${endpointText(listener.local)} could be taken out of its queue`, { hint: 'try again' });
    }
  }
  native.lock(liveOf(context).map(({ socket }) => socket.fd), LEASE_MS);
  // What arrived before the lock may have ended one.
  const states = native.tcpStates(context.waiting.map(({ socket }) => socket.fd));
  context.waiting = context.waiting.map(({ socket, listener }, index) => ({ socket: { ...socket, state: states[index] ?? socket.state }, listener }));
}

/** One that was reset is made again as that, with all that is in it. */
function obstaclesOf({ state, obstacles }: HeldSocket): SocketObstacle[] {
  return obstacles.filter((obstacle) => state !== TCP_CLOSE || (obstacle !== 'error-queue' && obstacle !== 'ended'));
}

function liveOf({ waiting }: SourceContext): WaitingSocket[] {
  return waiting.filter(({ socket }) => isConnection(socket));
}

/**
 * A client that has said what it had to say and closed its end needs no telling, and no agent can lock it. Notes it
 * among these; false: it is none of them.
 */
export function isLeftAlone({ alone }: SourceContext, { connection, status }: { connection: Connection; status: string }, waiting: readonly (Connection & { state: number })[]): boolean {
  const text = connectionText(connection);
  const isAlone = CLOSED.includes(status) && waiting.some((one) => one.state === TCP_CLOSE_WAIT && connectionText(one) === text);
  if (isAlone) alone.add(text);
  return isAlone;
}

/** Without those that `isLeftAlone` has noted. */
export function withPeers({ alone }: SourceContext, connections: readonly Connection[]): Connection[] {
  return connections.filter((connection) => !alone.has(connectionText(connection)));
}

/** In the order of `context.waiting`. Leaves the sockets in TCP_REPAIR. */
export function saveWaiting(context: SourceContext): MovingConnection[] {
  const fds = liveOf(context).map(({ socket }) => socket.fd);
  const saved = new Map(native.save(fds).map((one, index) => [fds[index] as number, one]));
  return context.waiting.map(({ socket, listener }) => {
    const state = saved.get(socket.fd) ?? native.saveReset(socket.fd, socket.remote);
    const alone = !saved.has(socket.fd) || context.alone.has(connectionText(socket));
    return { innerPid: innerPid(listener.pid), fd: listener.pfd, saved: state, peerHas: state.sndUna, waiting: { receiveBuffer: socket.receiveBuffer, alone } };
  });
}

/** Undoes all of it. Their peers are locked still. Throws where one is lost; the others are not. */
export function returnWaiting(context: SourceContext): void {
  const { waiting } = context;
  if (waiting.length === 0) return;
  native.lock(liveOf(context).map(({ socket }) => socket.fd), 0);
  const saved = saveWaiting(context);
  native.closeSilently(waiting.map(({ socket }) => socket.fd));
  context.waiting = [];
  const failures: unknown[] = [];
  let places: Place[] = waiting.map(({ listener }, index) => ({ connection: saved[index] as MovingConnection, listener: listener.fd, local: undefined }));
  while (places.length > 0) {
    const filled = fillQueues(places, context.program.cgroup);
    if (filled.failure === undefined) break;
    failures.push(filled.failure);
    places = places.slice(filled.count + 1);
  }
  if (failures.length > 0) throw failures[0];
}
