/** Undoes what somebody who died had done to a program: it is frozen, its sockets are locked or in TCP_REPAIR. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../log';
import { native, type ProgramSocket, type Registry } from '../native/index';
import { thawProgram } from '../program/freeze';
import { pidsOf } from '../program/pod';
import { isConnecting, isConnection } from '../vocabulary/sockets';
import { TCP_LISTEN } from '../vocabulary/sockets';

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
