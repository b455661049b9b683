/** Undoing what somebody who died had done to a program: its processes frozen, its sockets locked and in TCP_REPAIR. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../log';
import { isConnecting, isConnection } from '../migration/rules';
import { native, type ProgramSocket, type Registry } from '../native/index';
import { thawProgram } from '../program/freeze';
import { pidsOf } from '../program/pod';
import { TCP_LISTEN } from '../vocabulary/sockets';

export function isFrozen(cgroup: string): boolean {
  return readFileSync(join(cgroup, 'cgroup.freeze'), 'utf8').trim() === '1';
}

/**
 * A frozen program runs again, its sockets as they were. What the dead process alone remembered of them is lost: the
 * SO_REUSEADDR of a connection in repair, and a filter of the program's own under a lease. A socket that was not locked
 * is none the worse.
 */
export function letGo(cgroup: string, registry: Registry | undefined, log: Logger): void {
  const held = attempt(log, () => native.socketCollect(pidsOf(cgroup))) ?? [];
  const fdsOf = (which: (socket: ProgramSocket) => boolean): number[] => held.filter(which).map(({ fd }) => fd);
  attempt(log, () => native.tcpRelease(fdsOf(isConnection)));
  attempt(log, () => native.socketUnlock(fdsOf((socket) => isConnecting(socket) || socket.state === TCP_LISTEN)));
  for (const { fd } of held) native.closeFd(fd);
  thawProgram(cgroup, registry);
}

/** Closes what the processes of a cgroup that is about to be killed have open towards others: no FIN, no RST. */
export function silence(cgroup: string, log: Logger): void {
  const held = attempt(log, () => native.socketCollect(pidsOf(cgroup))) ?? [];
  native.tcpCloseSilently(held.map(({ fd }) => fd));
}

/** The program must run again, or be gone, whatever else fails. */
function attempt<Result>(log: Logger, step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    log.error({ err: error }, 'a socket was not let go');
    return undefined;
  }
}
