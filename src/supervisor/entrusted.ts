/** Connections that a dead supervisor had taken out of accept queues, and entrusted to the agent of this host. */
import type { MigrationTools } from '../kinds/program';
import { putBackIntoQueues } from '../kinds/tcp/fill-queues';
import { native, type QueuedSocket } from '../native/index';
import { takeConnections } from '../program/entrusted-connections';
import { pidsOf } from '../program/pod';
import { expectType } from '../protocol/control/index';
import { isConnection } from '../vocabulary/sockets';

/** Puts them back into the queues of the program, which must be frozen. */
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

/** Has the agent let them go; nobody hears of their end. */
export async function forgetEntrusted(program: string, { agent }: Pick<MigrationTools, 'agent'>): Promise<void> {
  await agent.ask({ type: 'entrust', program, pid: process.pid, connections: [] });
}
