/** Getting hold of a frozen program's sockets: from here on nothing reaches them. */
import { native, type ProgramSocket } from '../native/index';
import { innerPids, pidsOf } from '../program/pod';
import type { SourceContext } from './source-context';

export function holdSockets(context: SourceContext): void {
  context.held = native.socketCollect(pidsOf(context.program.cgroup));
  context.innerPids = innerPids(context.program.cgroup);
  context.locked = true;
  const locked = context.liveFds;
  native.socketLock(locked, context.leaseMs);
  context.leased = true;
  context.held = asLocked(context.held);
  const live = new Set(context.liveFds);
  native.socketUnlock(locked.filter((fd) => !live.has(fd)));
}

/** What arrived between the look and the lock may have opened or ended a connection. */
function asLocked(held: readonly ProgramSocket[]): ProgramSocket[] {
  const states = native.socketTcpStates(held.map(({ fd }) => fd));
  return held.map((socket, index) => {
    if (states[index] === socket.state) return socket;
    const { pid, pfd } = socket;
    return { ...native.socketDescribe(socket.fd), pid, pfd };
  });
}
