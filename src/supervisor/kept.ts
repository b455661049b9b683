/** Connections that a dead supervisor had taken out of accept queues: the agent of this host has them. */
import type { MigrationTools } from '../migration/program';
import { isConnection } from '../migration/rules';
import { putBack } from '../migration/waiting';
import { native, type QueuedSocket } from '../native/index';
import { takeConnections } from '../program/kept-connections';
import { pidsOf } from '../program/pod';
import { expectType } from '../protocol/control/index';

/** Back into the queues of a frozen program. */
export async function returnKept(program: string, cgroup: string, { agent, log }: MigrationTools): Promise<void> {
  const { pid, connections } = expectType(await agent.ask({ type: 'kept', program }), 'kept-are');
  if (connections.length === 0) return;
  const held = native.socketCollect(pidsOf(cgroup));
  try {
    const listeners = new Map(held.map(({ inode, fd }) => [inode, fd]));
    const waiting = takeConnections(pid, connections).map(({ fd, listener, remote, receiveBuffer }) => {
      const socket: QueuedSocket = { ...native.socketDescribe(fd), remote, receiveBuffer };
      return { socket, listener: listeners.get(listener) ?? -1 };
    });
    native.socketLock(waiting.filter(({ socket }) => isConnection(socket)).map(({ socket }) => socket.fd), 0);
    await putBack(waiting, cgroup, () => forgetKept(program, { agent }));
    log.info({ count: waiting.length }, 'connections that waited to be accepted wait again');
  } finally {
    for (const { fd } of held) native.closeFd(fd);
  }
}

/** Nobody hears of their end. */
export async function forgetKept(program: string, { agent }: Pick<MigrationTools, 'agent'>): Promise<void> {
  await agent.ask({ type: 'keep', program, pid: process.pid, connections: [] });
}
