/**
 * Connections that a migration has taken out of accept queues. Only the supervisor has descriptors of them, so they would
 * end with it. So they are entrusted to the agent until the supervisor or its successor has put them back or let them go.
 */
import { native } from '../native/index';
import { takeConnections } from '../program/entrusted-connections';
import type { EntrustedConnection } from '../protocol/control/index';

export class Entrusted {
  private readonly byProgram = new Map<string, EntrustedConnection[]>();

  /** They replace those of this program that were entrusted before; nobody hears of the end of these. */
  entrust(program: string, pid: number, connections: readonly EntrustedConnection[]): void {
    const taken = takeConnections(pid, connections);
    native.tcpCloseSilently(this.of(program).map(({ fd }) => fd));
    if (taken.length > 0) this.byProgram.set(program, taken);
    else this.byProgram.delete(program);
  }

  /** The descriptors are this process's. */
  of(program: string): EntrustedConnection[] {
    return this.byProgram.get(program) ?? [];
  }
}
