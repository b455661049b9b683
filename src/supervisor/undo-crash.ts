/**
 * Undoes what somebody who died had done to a program: it is frozen, its sockets are locked or in TCP_REPAIR, and
 * connections that were taken out of its accept queues are entrusted to the agent of this host.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationTools } from '../kinds/program';
import { putBackIntoQueues } from '../kinds/tcp/fill-queues';
import type { Logger } from '../log';
import { native, type ProgramSocket, type QueuedSocket, type Registry } from '../native/index';
import { takeConnections } from '../program/pidfds';
import { pidsOf, thawProgram } from '../program/pod';
import { expectType } from '../protocol/control/index';
import { isConnecting, isConnection, TCP_LISTEN } from '../vocabulary/sockets';

export function isFrozen(cgroup: string): boolean {
  return readFileSync(join(cgroup, 'cgroup.freeze'), 'utf8').trim() === '1';
}

/**
 * A frozen program runs again, with its sockets as they were. What the dead process alone knew of them is lost: the
 * SO_REUSEADDR of a connection in repair, and a filter that the program had on a socket whose lock has a lease. A
 * socket that was not locked stays as it is.
 */
export function unlockAndThaw(cgroup: string, registry: Registry | undefined, log: Logger): void {
  const sockets = attempt(log, () => native.socketCollect(pidsOf(cgroup))) ?? [];
  const fdsOf = (which: (socket: ProgramSocket) => boolean): number[] => sockets.filter(which).map(({ fd }) => fd);
  attempt(log, () => native.tcpRelease(fdsOf(isConnection)));
  attempt(log, () => native.socketUnlock(fdsOf((socket) => isConnecting(socket) || socket.state === TCP_LISTEN)));
  for (const { fd } of sockets) native.closeFd(fd);
  thawProgram(cgroup, registry);
}

/** To be called before the processes of a cgroup are killed: their connections end without a FIN or RST. */
export function closeSilently(cgroup: string, log: Logger): void {
  const sockets = attempt(log, () => native.socketCollect(pidsOf(cgroup))) ?? [];
  native.tcpCloseSilently(sockets.map(({ fd }) => fd));
}

/** The program must run again, or be gone, so a step that fails does not keep the others from being done. */
function attempt<Result>(log: Logger, step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    log.error({ err: error }, 'sockets of the program are not as they should be');
    return undefined;
  }
}

/** Puts entrusted connections back into the queues of the program, which must be frozen. */
export async function returnEntrusted(program: string, cgroup: string, { agent, log }: MigrationTools): Promise<void> {
  const { pid, connections } = expectType(await agent.ask({ type: 'entrusted', program }), 'entrusted-are');
  if (connections.length === 0) return;
  const held = native.socketCollect(pidsOf(cgroup));
  try {
    const listeners = new Map(held.map(({ inode, fd }) => [inode, fd]));
    const waiting = takeConnections(pid, connections).map(({ fd, listener, remote, receiveBuffer }) => {
      const socket: QueuedSocket = { ...native.socketDescribe(fd), remote, receiveBuffer };
      return { socket, listener: listeners.get(listener) ?? -1 };
    });
    native.socketLock(waiting.filter(({ socket }) => isConnection(socket)).map(({ socket }) => socket.fd), 0);
    await putBackIntoQueues(waiting, cgroup, () => forgetEntrusted(program, { agent }));
    log.info({ count: waiting.length }, 'connections that waited to be accepted wait again');
  } finally {
    for (const { fd } of held) native.closeFd(fd);
  }
}

/** Has the agent let entrusted connections go; nobody hears of their end. */
export async function forgetEntrusted(program: string, { agent }: Pick<MigrationTools, 'agent'>): Promise<void> {
  await agent.ask({ type: 'entrust', program, pid: process.pid, connections: [] });
}
