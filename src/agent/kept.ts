/**
 * Connections that a migration has taken out of accept queues. They have descriptors in the supervisor alone; with it they
 * would end. So the agent has them too, until the supervisor or its successor has put them back or let them go.
 */
import { native } from '../native/index';
import { takeConnections } from '../program/kept-connections';
import type { KeptConnection } from '../protocol/control/index';

export class Kept {
  private readonly byProgram = new Map<string, KeptConnection[]>();

  /** In place of those that were kept for this program; nobody hears of the end of these. */
  keep(program: string, pid: number, connections: readonly KeptConnection[]): void {
    const taken = takeConnections(pid, connections);
    native.tcpCloseSilently(this.of(program).map(({ fd }) => fd));
    if (taken.length > 0) this.byProgram.set(program, taken);
    else this.byProgram.delete(program);
  }

  /** With descriptors of this process. */
  of(program: string): KeptConnection[] {
    return this.byProgram.get(program) ?? [];
  }
}
